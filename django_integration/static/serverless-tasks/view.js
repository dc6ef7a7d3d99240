// Keeps the status page of one task current. The page is complete without it.
(() => {
  'use strict'

  const root = document.getElementById('task')
  const field = (name) => root.querySelector(`[data-field="${name}"]`)
  const part = (name) => root.querySelector(`[data-part="${name}"]`)
  const list = (name) => root.querySelector(`[data-list="${name}"]`)
  const cancelButton = root.querySelector('[data-action="cancel"]')
  const retryButton = root.querySelector('[data-action="retry"]')
  const bar = root.querySelector('progress')
  const first = JSON.parse(document.getElementById('record').textContent)

  TaskAPI.options.baseURL = root.dataset.base
  TaskAPI.options.csrfCookieName = root.dataset.csrfCookie
  TaskAPI.options.csrfHeaderName = root.dataset.csrfHeader ?? TaskAPI.options.csrfHeaderName

  const wholeURL = `${root.dataset.base}${first.uuid}/`

  // Setting the same text again would make a screen reader speak again.
  const say = (name, text) => {
    const node = field(name)
    if (node.textContent !== text) node.textContent = text
  }
  const capitalise = (word) => word[0].toUpperCase() + word.slice(1)
  const number = new Intl.NumberFormat()
  const moment = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' })
  let last = first
  const hasEnded = ({ status }) => status !== 'pending' && status !== 'running'
  const SHORT = 32 // characters of JSON that stay on one line

  // As web/excerpt.py.
  const MOST = { characters: 4000, lines: 100, values: 50, messages: 200, failed: 20 }

  function valueText(value) {
    if (typeof value === 'string') return value
    const text = JSON.stringify(value)
    return text.length <= SHORT ? text : JSON.stringify(value, null, 2)
  }

  /** What a page shows of a value; a long one ends with a link to all of it. */
  function valueNodes(value) {
    const text = valueText(value)
    const clipped = text.slice(0, MOST.characters).split('\n', MOST.lines).join('\n')
    const left = text.length - clipped.length
    if (left === 0) return [text]
    const more = Object.assign(document.createElement('p'), { className: 'more' })
    const all = Object.assign(document.createElement('a'), { textContent: 'all of it', href: wholeURL })
    more.append(`${number.format(left)} more characters: `, all)
    return [clipped, more]
  }

  function renderLeft(name, count) {
    part(name).hidden = count === 0
    say(name, number.format(count))
  }

  function duration(milliseconds) {
    const seconds = Math.max(0, milliseconds) / 1000
    if (seconds < 10) return `${seconds.toFixed(1)} s`
    if (seconds < 60) return `${Math.floor(seconds)} s`
    const minutes = Math.floor(seconds / 60)
    if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`
    const hours = Math.floor(minutes / 60)
    return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`
  }

  const waitingFor = () =>
    isDue() && Date.parse(field('due').dateTime) > Date.now() ? 'Scheduled' : 'Waiting to be picked up'

  // The page knows when the attempt is due that it was made before; of a later one the record does not tell.
  const isDue = () => part('due') !== null && last.status === 'pending' && last.attempt === first.attempt

  function renderDue() {
    if (part('due') === null) return
    part('due').hidden = !isDue()
    say('due', moment.format(new Date(field('due').dateTime)))
  }

  function renderProgress({ status, progress, target }) {
    const done = status === 'succeeded'
    part('progress').hidden = !target && (status === 'failed' || status === 'cancelled')
    if (!done && !target && status === 'running') {
      bar.removeAttribute('value')
    } else {
      bar.max = done ? 1 : target || 1
      bar.value = done ? 1 : target ? progress : 0
    }
    let count = done ? 'Done' : status === 'pending' ? waitingFor() : 'Working'
    if (target) count = `${number.format(progress)} of ${number.format(target)}`
    else if (progress) count = `${number.format(progress)} so far`
    const percent = done ? 100 : target ? Math.min(100, Math.floor((progress / target) * 100)) : null
    say('count', count)
    say('percent', percent === null ? '' : `${percent}%`)
    document.title = `${first.task}: ${status === 'running' && percent !== null ? `${percent}%` : status}`
  }

  let leftOut = Math.max(0, first.messages.length - MOST.messages)
  function renderMessages(messages) {
    const items = list('messages')
    const from = Math.max(0, messages.length - MOST.messages)
    for (; leftOut < from && items.firstChild; leftOut++) items.firstChild.remove()
    leftOut = from
    messages = messages.slice(from)
    const shown = [...items.children].map((item) => item.textContent)
    const log = items.parentElement
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40
    if (shown.some((text, i) => text !== messages[i])) items.replaceChildren()
    messages.slice(items.children.length).forEach((text) => {
      items.append(Object.assign(document.createElement('li'), { textContent: text }))
    })
    part('messages').hidden = messages.length === 0
    renderLeft('earlier', from)
    if (atEnd) log.scrollTop = log.scrollHeight
  }

  let shownOutputs = '{}'
  function renderOutputs(outputs, isGroup) {
    if (isGroup) {
      part('result').hidden = true // the one output is a link among the details
      return
    }
    const next = JSON.stringify(outputs)
    if (next === shownOutputs) return
    shownOutputs = next
    const values = Object.entries(outputs)
    const rows = values.slice(0, MOST.values).map(([name, value]) => {
      const [row, text] = [document.createElement('div'), document.createElement('dd')]
      text.append(...valueNodes(value))
      row.append(Object.assign(document.createElement('dt'), { textContent: name }), text)
      return row
    })
    renderLeft('more-outputs', values.length - rows.length)
    list('outputs').replaceChildren(...rows)
    part('result').hidden = rows.length === 0
  }

  const viewURL = (uuid) => `${root.dataset.base}${uuid}/view/`

  let failedShown = list('failures').children.length
  let failedWhenRead = failedShown ? first.members.failed : 0
  let readsFailed = false

  /** Reads the first failed members when there are others than those that are shown. */
  async function readFailed() {
    const { failed } = last.members
    const enough = failedShown >= MOST.failed && !hasEnded(last)
    if (readsFailed || failed === failedWhenRead || enough) return
    readsFailed = true
    try {
      renderFailed((await TaskAPI.members(first.uuid, { status: 'failed', limit: MOST.failed })).members)
      failedWhenRead = failed
    } catch {
      return // the counts are there; the next record tries again
    } finally {
      readsFailed = false
    }
    readFailed()
  }

  function renderFailed(members) {
    const rows = members.map(({ index, uuid, task, error }) => {
      const row = document.createElement('li')
      const link = Object.assign(document.createElement('a'), { textContent: `Member ${index}`, href: viewURL(uuid) })
      const name = Object.assign(document.createElement('code'), { textContent: task })
      const reason = Object.assign(document.createElement('span'), { textContent: error ? error.message : '' })
      row.append(link, ' ', reason, ' ', name)
      return row
    })
    list('failures').replaceChildren(...rows)
    part('failures').hidden = rows.length === 0
    failedShown = rows.length
    renderLeft('more-failures', Math.max(0, last.members.failed - failedShown))
  }

  function renderMembers({ members, outputs }) {
    part('members').hidden = !members
    part('attempt').hidden = Boolean(members)
    if (!members) return
    say('kind', 'Workflow')
    say('succeeded', number.format(members.succeeded))
    say('failed', number.format(members.failed))
    say('cancelled', number.format(members.cancelled))
    renderLeft('more-failures', Math.max(0, members.failed - failedShown))
    readFailed()
    cancelButton.textContent = 'Cancel workflow'
    bar.setAttribute('aria-label', 'Members that have ended')
    const { continuation } = outputs
    part('continuation').hidden = !continuation
    if (!continuation) return
    root.querySelector('[data-link="continuation"]').href = viewURL(continuation)
    say('continuation', continuation)
  }

  function renderTimes(record) {
    root.querySelectorAll('[data-time]').forEach((node) => {
      const value = record[node.dataset.time]
      node.textContent = value ? moment.format(new Date(value)) : hasEnded(record) ? 'Never' : 'Not yet'
    })
    const { started, finished } = record
    part('took').hidden = !started
    say('took-label', finished ? 'Took' : 'Running for')
    say('took', started ? duration((finished ? Date.parse(finished) : Date.now()) - Date.parse(started)) : '')
  }

  function render(record) {
    last = record
    root.dataset.status = record.status
    say('status', capitalise(record.status))
    renderProgress(record)
    renderMessages(record.messages)
    renderOutputs(record.outputs, Boolean(record.members))
    renderMembers(record)
    renderDue()
    renderTimes(record)
    part('error').hidden = !record.error
    say('error-message', record.error ? record.error.message : '')
    say('error-type', record.error ? record.error.type : '')
    say('attempt', record.attempt ? number.format(record.attempt) : 'None yet')
    part('cancel').hidden = hasEnded(record)
    if (record.cancel_requested) cancelAsked()
    if (hasEnded(record) && !hasEnded(first) && part('timeline')) readTimeline()
  }

  /** Reads the timeline once more, when the task has ended: it is drawn on the server. */
  async function readTimeline() {
    try {
      const page = new DOMParser().parseFromString(await (await fetch(location.href)).text(), 'text/html')
      const drawn = page.querySelector('[data-part="timeline"]')
      if (drawn) part('timeline').replaceWith(drawn)
    } catch {
      return // the one that is shown holds up to when it was read
    }
  }

  function notify(text, again) {
    say('notice', text)
    retryButton.hidden = !again
    part('notice').hidden = !text
  }

  function cancelAsked() {
    cancelButton.disabled = true
    const about = last.members ? 'Jobs that have not begun never do.' : 'A running task stops at its next step.'
    say('cancel-note', `Asked to stop. ${about}`)
  }

  function watch() {
    notify('')
    TaskAPI.watch(first.uuid, render).catch((reason) => {
      if (!(reason instanceof Error)) return
      const gone = reason.status === 403 || reason.status === 404
      notify(
        gone
          ? 'This task can no longer be read here. Below is what was last known of it.'
          : 'Updates have stopped because the server does not answer. Below is what was last known.',
        !gone,
      )
    })
  }

  cancelButton.addEventListener('click', async () => {
    cancelAsked()
    try {
      const record = await TaskAPI.cancel(first.uuid)
      if (!hasEnded(last)) render(record)
    } catch (error) {
      if (error.status === 409) return
      cancelButton.disabled = false
      say('cancel-note', 'Cancelling did not work. Try again.')
    }
  })
  retryButton.addEventListener('click', watch)

  render(first)
  if (hasEnded(first)) return
  watch()
  const clock = setInterval(() => {
    if (hasEnded(last)) clearInterval(clock)
    else {
      renderProgress(last)
      renderTimes(last)
    }
  }, 1000)
})()
