// Follows the jobs that {% task_progress %} shows, and sends {% task_button %} in place. The page works without it.
(() => {
  'use strict'

  const ended = (status) => !['pending', 'running'].includes(status)

  /** Gives the texts of a piece, with values in place of the names in braces. */
  const textsOf = (root) => {
    const texts = root.querySelector('template')?.content
    return (name, values = {}) =>
      texts
        .querySelector(`[data-text="${name}"]`)
        .textContent.replace(/\{(\w+)\}/g, (whole, key) => values[key] ?? whole)
  }

  const number = (value) => {
    try {
      return new Intl.NumberFormat(document.documentElement.lang || undefined, { numberingSystem: 'latn' }).format(value)
    } catch {
      return String(value) // a language of the site's own, with a name that browsers refuse
    }
  }

  const tell = (node, name, detail) => node.dispatchEvent(new CustomEvent(name, { bubbles: true, detail }))

  // Setting the same text again would make a screen reader speak again.
  const say = (root, name, words) => {
    const node = root.querySelector(`[data-field="${name}"]`)
    if (node.textContent !== words) node.textContent = words
    node.hidden = !words
  }

  function count(text, { status, progress, target }) {
    if (target) return text('of', { progress: number(progress), target: number(target) })
    if (progress) return text('so-far', { progress: number(progress) })
    if (status === 'pending') return text('waiting')
    return status === 'running' ? text('working') : ''
  }

  function draw(root, text, record) {
    const { status, progress, target, messages, error } = record
    const bar = root.querySelector('progress')
    root.dataset.status = status
    say(root, 'status', text(`status-${status}`))
    say(root, 'count', count(text, record))
    say(root, 'message', error ? '' : (messages.at(-1) ?? ''))
    say(root, 'error', error?.message ?? '')
    if (target) Object.assign(bar, { max: target, value: progress })
    else if (status === 'running') bar.removeAttribute('value')
    else Object.assign(bar, { max: 1, value: status === 'succeeded' ? 1 : 0 })
    tell(root, 'task:progress', record)
  }

  function follow(root) {
    const uuid = root.dataset.taskProgress
    if (!uuid || ended(root.dataset.status)) return
    delete root.dataset.taskProgress // once
    const text = textsOf(root)
    const reload = root.querySelector('[data-field="reload"]')
    if (reload) reload.hidden = true
    const last = (reason) => {
      if (!(reason instanceof Error)) return tell(root, 'task:ended', reason)
      say(root, 'error', text(reason.status === 404 ? 'gone' : 'no-answer'))
      tell(root, 'task:lost', reason)
    }
    TaskAPI.watch(uuid, (record) => draw(root, text, record)).then(last, last)
  }

  /** Puts the piece of a job into the page in place of what an earlier submit of the form has left there. */
  async function show(form, uuid) {
    const response = await fetch(`${TaskAPI.options.baseURL}${uuid}/progress/`, { headers: { Accept: 'text/html' } })
    if (!response.ok) throw new Error(response.status)
    const piece = new DOMParser().parseFromString(await response.text(), 'text/html').querySelector('.task-progress')
    form.nextElementSibling?.matches('[data-task-shown]') && form.nextElementSibling.remove()
    piece.dataset.taskShown = ''
    form.after(piece)
    follow(piece)
  }

  function refuse(form, errors) {
    const list = form.querySelector('.task-button-errors')
    list.firstElementChild.replaceChildren(
      ...errors.map(({ field, message }) => {
        const item = document.createElement('li')
        if (field) {
          const name = document.createElement('code')
          Object.assign(name, { textContent: field, dir: 'ltr' })
          item.append(name, ': ')
        }
        const words = document.createElement('span')
        Object.assign(words, { textContent: message, dir: 'auto' })
        item.append(words)
        return item
      }),
    )
    list.hidden = !errors.length
  }

  async function send(form) {
    const button = form.querySelector('button')
    const text = textsOf(form)
    const body = new FormData(form)
    if (button.ariaDisabled === 'true') return // it is on its way
    button.ariaDisabled = 'true' // a disabled one would lose the focus
    refuse(form, [])
    try {
      const response = await fetch(form.action, { method: 'POST', body, headers: { Accept: 'application/json' } })
      const told = await response.json().catch(() => null) // a page of Django's: the CSRF token is of another login
      if (!told) return refuse(form, [{ message: text('not-valid') }])
      if (!response.ok) return refuse(form, told.error.fields ?? [told.error])
      tell(form, 'task:submitted', told)
      await show(form, told.uuid)
    } catch {
      refuse(form, [{ message: text('not-sent') }])
    } finally {
      button.ariaDisabled = null
    }
  }

  document.addEventListener('submit', (event) => {
    if (!event.target.matches('form[data-task-button]')) return
    event.preventDefault()
    send(event.target)
  })
  document.querySelectorAll('[data-task-progress]').forEach(follow)
  // For pieces that a page has put in by itself.
  document.addEventListener('task:added', ({ target }) => target.querySelectorAll('[data-task-progress]').forEach(follow))
})()
