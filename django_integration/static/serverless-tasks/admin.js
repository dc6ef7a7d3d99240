// Moves the progress of jobs that have not ended. The pages are complete without it.
(() => {
  'use strict'

  const PAUSE = 2000
  const LONGEST_PAUSE = 30000
  const place = document.querySelector('[data-live]')
  if (!place) return
  const shown = () => [...document.querySelectorAll('[data-job]')]
  const texts = document.currentScript.dataset // a word for each status, and how a percentage is written
  const percent = (value) => texts.percent.replace('{percent}', value)
  let pause = PAUSE

  const say = (row, name, text) => {
    const node = row.querySelector(`[data-field="${name}"]`)
    if (node && node.textContent !== text) node.textContent = text
  }

  function show(row, job) {
    // One job's page shows more than moves: it is loaded again when there is something new to read.
    const news = job.ended || Number(row.dataset.messages) !== job.messages
    if (row.dataset.messages !== undefined && news) {
      location.reload()
      return
    }
    const bar = row.querySelector('progress')
    if (job.percent !== null) bar.value = job.percent
    else if (job.status === 'running') bar.removeAttribute('value')
    else bar.value = 0
    say(row, 'count', job.percent !== null ? percent(job.percent) : job.progress ? String(job.progress) : '')
    say(row, 'status', texts[job.status])
    const status = row.querySelector('[data-field="status"]')
    if (status) status.className = `st-status st-${job.status}`
    for (const [name, count] of Object.entries(job.members ?? {})) say(row, name, String(count))
    if (job.status !== 'pending') row.querySelector('[data-part="due"]')?.remove()
    if (job.ended) delete row.dataset.job
  }

  async function look() {
    const rows = shown()
    if (rows.length === 0) return
    if (!document.hidden) {
      const query = new URLSearchParams(rows.map((row) => ['uuid', row.dataset.job]))
      try {
        const answer = await fetch(`${place.dataset.live}?${query}`, { headers: { Accept: 'application/json' } })
        if (!answer.ok || answer.redirected) throw new Error(String(answer.status))
        const jobs = await answer.json()
        rows.forEach((row) => jobs[row.dataset.job] && show(row, jobs[row.dataset.job]))
        pause = PAUSE
      } catch {
        pause = Math.min(2 * pause, LONGEST_PAUSE)
      }
    }
    setTimeout(look, pause)
  }

  setTimeout(look, pause)
})()
