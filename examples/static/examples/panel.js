// A form that submits a task, and the place beside it that shows what becomes of it.
'use strict'

class Panel {
  /**
   * @param section the element with the form and the outcome; its `data-task` names the task
   * @param read     (form) -> promise of the inputs; an Error says what to mend, its `field` names the input
   * @param draw     (outputs, place) puts the result on the page
   * @param unit     (number) -> how progress is written
   */
  constructor(section, { read, draw, unit }) {
    Object.assign(this, { read, draw, unit, task: section.dataset.task })
    this.form = section.querySelector('form')
    this.outcome = section.querySelector('.outcome')
    this.bar = this.outcome.querySelector('progress')
    this.button = this.form.querySelector('[type="submit"]')
    this.cancelButton = this.outcome.querySelector('[data-action="cancel"]')
    this.form.addEventListener('submit', (event) => {
      event.preventDefault()
      this.submit()
    })
    this.cancelButton.addEventListener('click', () => this.cancel())
  }

  get key() {
    return `task:${this.task}`
  }

  async submit() {
    this.start('Reading the file')
    let inputs
    try {
      inputs = await this.read(this.form)
    } catch (error) {
      return this.refuse(error)
    }
    this.say('state', 'Submitting')
    this.follow(TaskAPI.run(this.task, inputs, (record) => this.show(record)))
  }

  /** Picks up the task that an earlier visit of this page has left running. */
  resume() {
    const uuid = sessionStorage.getItem(this.key)
    if (!uuid) return
    this.start('Picking up again')
    this.follow(TaskAPI.watch(uuid, (record) => this.show(record)))
  }

  async follow(promise) {
    try {
      await promise
    } catch (reason) {
      if (reason instanceof Error) this.refuse(reason)
    } finally {
      this.button.disabled = false
      this.cancelButton.hidden = true
    }
  }

  async cancel() {
    this.cancelButton.disabled = true
    this.say('state', 'Asking it to stop')
    try {
      await TaskAPI.cancel(this.uuid)
    } catch (error) {
      // 409: it has ended in the meantime, and its last record says how.
      if (error.status !== 409) this.problem(messageOf(error))
    }
  }

  start(state) {
    this.button.disabled = true
    this.uuid = null
    this.told = 0
    this.outcome.dataset.status = 'pending'
    for (const input of this.form.elements) input.removeAttribute('aria-invalid')
    for (const name of ['progress', 'result', 'link']) this.part(name).hidden = true
    this.list.replaceChildren()
    this.list.hidden = true
    this.problem('')
    this.say('state', state)
  }

  refuse(error) {
    const fields = error.field ? [error.field] : (error.body?.error?.fields ?? []).map(({ field }) => field)
    for (const field of fields) this.form.elements[field]?.setAttribute('aria-invalid', 'true')
    this.form.elements[fields[0]]?.focus()
    this.outcome.dataset.status = 'failed'
    this.button.disabled = false
    this.part('progress').hidden = true
    this.say('state', 'Not submitted')
    this.problem(messageOf(error))
    if (error.status === 404) sessionStorage.removeItem(this.key)
  }

  show(record) {
    const ended = !['pending', 'running'].includes(record.status)
    this.uuid = record.uuid
    sessionStorage.setItem(this.key, record.uuid)
    this.outcome.dataset.status = record.status
    this.say('state', stateOf(record))
    this.showProgress(record)
    this.showMessages(record.messages)
    this.cancelButton.hidden = ended
    this.cancelButton.disabled = Boolean(record.cancel_requested)
    const link = this.part('link')
    link.href = `${TaskAPI.options.baseURL}${record.uuid}/view/`
    link.hidden = false
    if (record.status === 'failed') this.problem(record.error.message)
    if (record.status === 'succeeded') {
      this.part('result').replaceChildren()
      this.draw(record.outputs, this.part('result'))
      this.part('result').hidden = false
    }
  }

  showProgress({ status, progress, target }) {
    const share = target ? Math.min(1, progress / target) : 0
    this.part('progress').hidden = status === 'failed' || status === 'cancelled' ? !target : false
    if (target || status !== 'running') this.bar.value = status === 'succeeded' ? 1 : share
    else this.bar.removeAttribute('value')
    this.say('count', target ? `${this.unit(progress)} of ${this.unit(target)}` : '')
    this.say('percent', target ? `${Math.floor(share * 100)}%` : '')
  }

  showMessages(messages) {
    if (messages.length < this.told) {
      this.list.replaceChildren() // a new attempt begins its messages anew
      this.told = 0
    }
    this.list.append(...messages.slice(this.told).map((text) => element('li', { textContent: text })))
    this.told = messages.length
    this.list.hidden = !this.told
  }

  problem(text) {
    const place = this.field('problem')
    place.hidden = !text
    place.textContent = text
  }

  // Setting the same text again would make a screen reader speak again.
  say(name, text) {
    const node = this.field(name)
    if (node.textContent !== text) node.textContent = text
  }

  field(name) {
    return this.outcome.querySelector(`[data-field="${name}"]`)
  }

  part(name) {
    return this.outcome.querySelector(`[data-part="${name}"]`)
  }

  get list() {
    return this.outcome.querySelector('[data-list="messages"]')
  }
}

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties)
  made.append(...children)
  return made
}

function stateOf({ status, cancel_requested: stopping }) {
  if (status === 'running' && stopping) return 'Asked to stop'
  const states = {
    pending: 'Waiting for a worker',
    running: 'Running',
    succeeded: 'Done',
    failed: 'Failed',
    cancelled: 'Cancelled',
  }
  return states[status]
}

/** What a person can do something with: the server's own sentence, where it sent one. */
function messageOf(error) {
  const said = error.body?.error
  if (said?.fields?.length) return said.fields.map(({ field, message }) => `${field}: ${message}`).join('\n')
  if (said?.message) return said.message
  return error.status || error.field ? error.message : `The site could not be reached: ${error.message}`
}
