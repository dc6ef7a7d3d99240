// A page with the hooks, in StrictMode, that can be taken away: see test_hooks.py.
import { StrictMode, createElement, useState } from 'react'
import { createRoot } from 'react-dom/client'
import tasks from 'serverless-tasks-client'
import { useTask, useTaskList } from 'serverless-tasks-client/react'

tasks.options.pollInterval = 50

function List() {
  const { tasks, next, error, refresh } = useTaskList({ limit: 2 }, { interval: Number(location.hash.slice(1)) || 50 })
  return (
    <section>
      <ul aria-label="Jobs">{tasks.map(({ uuid, status }) => <li key={uuid}>{status}</li>)}</ul>
      <p role="status">{error ? `error ${error.status}` : `next ${next}`}</p>
      <button onClick={refresh}>Refresh</button>
    </section>
  )
}

function Job() {
  const [turn, setTurn] = useState(0)
  const { record, error, isPending, cancel } = useTask(() => tasks.run('sum', {}, { follow: false }), { again: turn })
  return (
    <section>
      <p aria-label="Job">{error ? `error ${error.status}` : `${record?.status} ${record?.progress} ${isPending}`}</p>
      <button onClick={() => setTurn(turn + 1)}>Again</button>
      <button onClick={() => cancel()}>Cancel</button>
    </section>
  )
}

const root = createRoot(document.body.appendChild(document.createElement('main')))
const shown = { list: <List />, job: <Job /> }
window.show = (what) => root.render(<StrictMode>{shown[what]}</StrictMode>)
window.leave = () => root.unmount()
