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
  const { text, number, percent, moment, duration } = Page
  const statusWord = (status) => text(`status-${status}`)
  let last = first
  // What a task says may be written in another direction than the page.
  const isolated = (tag, words) => {
    const node = document.createElement(tag)
    node.append(Object.assign(document.createElement('bdi'), { textContent: words }))
    return node
  }
  const hasEnded = ({ status }) => status !== 'pending' && status !== 'running'
  const SHORT = 32 // characters of JSON that stay on one line

  // As web/excerpt.py.
  const MOST = { characters: 4000, lines: 100, values: 50, messages: 200, failed: 20 }

  function valueText(value) {
    if (typeof value === 'string') return value
    const line = JSON.stringify(value)
    return line.length <= SHORT ? line : JSON.stringify(value, null, 2)
  }

  /** What a page shows of a value; a long one ends with a link to all of it. */
  function valueNodes(value) {
    const whole = valueText(value)
    const clipped = whole.slice(0, MOST.characters).split('\n', MOST.lines).join('\n')
    const shown = Object.assign(document.createElement('div'), { className: 'value', dir: 'auto', textContent: clipped })
    const left = whole.length - clipped.length
    if (left === 0) return [shown]
    const more = Object.assign(document.createElement('p'), { className: 'more' })
    const all = Object.assign(document.createElement('a'), { textContent: text('all-of-it'), href: wholeURL })
    const line = document.createElement('bdi')
    line.append(text('left', { count: number(left) }), ' ', all)
    more.append(line)
    return [shown, more]
  }

  function renderLeft(name, count) {
    part(name).hidden = count === 0
    say(name, text(name, { count: number(count) }))
  }

  const waitingFor = () =>
    text(isDue() && Date.parse(field('due').dateTime) > Date.now() ? 'scheduled' : 'waiting')

  // The page knows when the attempt is due that it was made before; of a later one the record does not tell.
  const isDue = () => part('due') !== null && last.status === 'pending' && last.attempt === first.attempt

  function renderDue() {
    if (part('due') === null) return
    part('due').hidden = !isDue()
    say('due', moment(field('due').dateTime))
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
    let count = done ? text('done') : status === 'pending' ? waitingFor() : text('working')
    if (target) count = text('of', { progress: number(progress), target: number(target) })
    else if (progress) count = text('so-far', { progress: number(progress) })
    const hundredths = done ? 100 : target ? Math.min(100, Math.floor((progress / target) * 100)) : null
    const far = hundredths === null ? '' : percent(hundredths)
    say('count', count)
    say('percent', far)
    document.title = `${first.task}: ${(status === 'running' && far) || statusWord(status)}`
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
    if (shown.some((message, i) => message !== messages[i])) items.replaceChildren()
    messages.slice(items.children.length).forEach((message) => {
      items.append(isolated('li', message))
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
      const [row, shown] = [document.createElement('div'), document.createElement('dd')]
      shown.append(...valueNodes(value))
      row.append(isolated('dt', name), shown)
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
      const link = Object.assign(document.createElement('a'), { textContent: text('member', { index }), href: viewURL(uuid) })
      const name = Object.assign(document.createElement('code'), { dir: 'ltr', textContent: task })
      const reason = isolated('span', error ? error.message : '')
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
    say('kind', text('kind-workflow'))
    say('succeeded', number(members.succeeded))
    say('failed', number(members.failed))
    say('cancelled', number(members.cancelled))
    renderLeft('more-failures', Math.max(0, members.failed - failedShown))
    readFailed()
    cancelButton.textContent = text('cancel-workflow')
    bar.setAttribute('aria-label', text('members-ended'))
    const { continuation } = outputs
    part('continuation').hidden = !continuation
    if (!continuation) return
    root.querySelector('[data-link="continuation"]').href = viewURL(continuation)
    say('continuation', continuation)
  }

  function renderTimes(record) {
    root.querySelectorAll('[data-time]').forEach((node) => {
      const value = record[node.dataset.time]
      node.textContent = value ? moment(value) : text(hasEnded(record) ? 'never' : 'not-yet')
    })
    const { started, finished } = record
    part('took').hidden = !started
    say('took-label', text(finished ? 'took' : 'running-for'))
    say('took', started ? duration((finished ? Date.parse(finished) : Date.now()) - Date.parse(started)) : '')
  }

  function render(record) {
    last = record
    root.dataset.status = record.status
    say('status', statusWord(record.status))
    renderProgress(record)
    renderMessages(record.messages)
    renderOutputs(record.outputs, Boolean(record.members))
    renderMembers(record)
    renderDue()
    renderTimes(record)
    part('error').hidden = !record.error
    say('error-message', record.error ? record.error.message : '')
    say('error-type', record.error ? record.error.type : '')
    say('attempt', record.attempt ? number(record.attempt) : text('no-attempt'))
    part('cancel').hidden = hasEnded(record)
    if (record.cancel_requested) cancelAsked()
  }

  function notify(said, again) {
    say('notice', said)
    retryButton.hidden = !again
    part('notice').hidden = !said
  }

  function cancelAsked() {
    cancelButton.disabled = true
    say('cancel-note', text(last.members ? 'cancel-asked-workflow' : 'cancel-asked'))
  }

  function watch() {
    notify('')
    TaskAPI.watch(first.uuid, render).catch((reason) => {
      if (!(reason instanceof Error)) return
      const gone = reason.status === 403 || reason.status === 404
      notify(text(gone ? 'gone' : 'no-answer'), !gone)
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
      say('cancel-note', text('cancel-failed'))
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
