import { useState } from 'react'
import type { FormEvent } from 'react'
import { createClient } from 'serverless-tasks-client'
import { Summary } from './Summary'
import type { Tasks } from './tasks.gen'

export const client = createClient<Tasks>()

const SAMPLE = `city,temperature
${Array.from({ length: 2000 }, (_, day) => `Oslo,${((day * 7) % 31) - 10}`).join('\n')}
`

export function App() {
  // A job outlives the page: its uuid is kept for the tab, and followed again after a reload.
  const [uuid, setUuid] = useState(() => sessionStorage.getItem('summary'))
  const [text, setText] = useState<string | null>(null)
  const [turn, setTurn] = useState(0)

  const remember = (next: string | null): void => {
    if (next) sessionStorage.setItem('summary', next)
    else sessionStorage.removeItem('summary')
  }
  const summarise = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault()
    const given = new FormData(event.currentTarget).get('text')
    remember(null)
    setUuid(null)
    setText(String(given))
    setTurn(turn + 1)
  }
  const start =
    text !== null
      ? () => client['summarise-columns'].run({ text }, { follow: false }).then((job) => (remember(job.uuid), job))
      : uuid

  return (
    <main>
      <h1>Summarise a table</h1>
      <p>What each column holds: its kind, its range, what is missing. A task on the server finds it out.</p>
      <form onSubmit={summarise}>
        <label htmlFor="text">Lines of comma separated values, the first with the names of the columns</label>
        <textarea id="text" name="text" rows={8} defaultValue={SAMPLE} required />
        <button>Summarise</button>
      </form>
      <Summary start={start} turn={turn} />
    </main>
  )
}
