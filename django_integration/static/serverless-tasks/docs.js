// Shows each task of the site's OpenAPI document: what it takes, what it gives back, and a form to run it.
(() => {
  'use strict'

  const root = document.getElementById('docs')
  const part = (name) => root.querySelector(`[data-part="${name}"]`)
  const field = (name) => root.querySelector(`[data-field="${name}"]`)
  const make = (tag, text, className) => {
    const node = document.createElement(tag)
    if (text !== undefined) node.textContent = text
    if (className) node.className = className
    return node
  }
  // What is written in another direction than the page keeps its own.
  const isolated = (tag, text, className) => {
    const node = make(tag, undefined, className)
    node.append(make('bdi', text))
    return node
  }
  const { text } = Page
  const MOST = { characters: 4000, lines: 100 } // as web/excerpt.py
  const METHODS = ['get', 'post', 'put', 'patch', 'delete']

  TaskAPI.options.baseURL = root.dataset.base
  TaskAPI.options.csrfCookieName = root.dataset.csrfCookie
  TaskAPI.options.csrfHeaderName = root.dataset.csrfHeader ?? TaskAPI.options.csrfHeaderName

  let api = {}

  function resolve(schema) {
    let found = schema || {}
    while (found.$ref) {
      const { $ref, ...own } = found
      const path = $ref.replace(/^#\//, '').split('/')
      const target = path.reduce((node, key) => node && node[key.replace(/~1/g, '/').replace(/~0/g, '~')], api)
      found = { ...target, ...own }
    }
    return found
  }

  const variants = (schema) => schema.oneOf || schema.anyOf || [schema]
  const jsonOf = (holder) => resolve(resolve(holder).content?.['application/json']?.schema)
  const property = (schema, name) => resolve(resolve(schema).properties?.[name])
  // While a task runs its outputs are empty, which the document offers as a second variant.
  const outputsOf = (record) => {
    const schema = property(record, 'outputs')
    return variants(schema).map(resolve).find((variant) => variant.properties) || schema
  }
  const nameIn = (schema) => {
    const name = property(schema, 'task')
    return name.const ?? (name.enum?.length === 1 ? name.enum[0] : undefined)
  }

  /** The tasks that an operation starts: those its body's `task` names, or one whose inputs are the body itself. */
  function tasksOf(path, operation) {
    if (!operation.requestBody) return []
    const body = jsonOf(operation.requestBody)
    const records = variants(jsonOf(operation.responses?.[201]))
    const named = variants(body).filter((variant) => nameIn(variant) !== undefined)
    if (named.length > 0) {
      return named.map((variant) => {
        const name = nameIn(variant)
        const outputs = outputsOf(records.find((each) => nameIn(each) === name))
        return { path, name, description: resolve(variant).description || '', inputs: property(variant, 'inputs'), outputs }
      })
    }
    if (!operation.responses?.[201] || !body.properties || body.properties.task) return []
    const name = nameIn(records[0]) ?? path.split('/').filter(Boolean).pop()
    return [{ path, name, description: operation.description || '', inputs: body, outputs: outputsOf(records[0]), typed: true }]
  }

  const OR = ` ${text('or')} `

  function typeOf(given) {
    const schema = resolve(given)
    const values = schema.const === undefined ? schema.enum : [schema.const]
    if (values) return values.map((value) => JSON.stringify(value)).join(OR)
    const choices = schema.anyOf || schema.oneOf
    if (choices) return [...new Set(choices.map(typeOf))].join(OR)
    if (schema.type === 'array') return schema.items ? text('list-of', { type: typeOf(schema.items) }) : text('list')
    if (Array.isArray(schema.type)) return schema.type.join(OR)
    if (schema.format) return `${schema.type} (${schema.format})`
    return schema.type || text('any-value')
  }

  function shape(kind, schema) {
    const box = make('div')
    box.append(make('h3', text(kind)))
    const fields = Object.entries(schema.properties || {})
    if (fields.length === 0) {
      box.append(make('p', text(schema.type === 'object' && schema.properties ? 'no-fields' : 'not-described'), 'none'))
      return box
    }
    const list = make('dl', undefined, 'shape')
    fields.forEach(([name, given]) => {
      const { description, default: preset } = resolve(given)
      const [row, about] = [make('div'), isolated('dd', typeOf(given))]
      const optional = !(schema.required || []).includes(name)
      if (kind === 'inputs' && optional) {
        const value = JSON.stringify(preset)
        about.firstChild.append(preset === undefined ? text('optional') : text('optional-else', { value }))
      }
      if (description) about.append(isolated('span', description, 'note'))
      row.append(isolated('dt', name), about)
      list.append(row)
    })
    box.append(list)
    return box
  }

  function parsed(name, given) {
    try {
      return JSON.parse(given)
    } catch (error) {
      throw new Error(text('not-json', { name, error: error.message }))
    }
  }

  // Bytes travel in base64 where the schema says so, and as text otherwise.
  const ONE_LINE = 100
  const BYTES = ['binary', 'base64', 'base64url']

  async function bytesOf(name, file, { format, contentEncoding }) {
    if (!file) return undefined
    const bytes = new Uint8Array(await file.arrayBuffer())
    if (format === 'binary' && contentEncoding !== 'base64') {
      try {
        return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
      } catch {
        throw new Error(text('not-text', { name, file: file.name }))
      }
    }
    let binary = ''
    bytes.forEach((byte) => (binary += String.fromCharCode(byte)))
    const encoded = btoa(binary)
    return format === 'base64url' ? encoded.replaceAll('+', '-').replaceAll('/', '_') : encoded
  }

  /** A form field for an input; `read` gives its value, undefined when it is left empty, or throws an error. */
  function control(id, name, given, required) {
    const whole = resolve(given)
    const choices = variants(whole).filter((each) => resolve(each).type !== 'null')
    const schema = choices.length === 1 ? { default: whole.default, ...resolve(choices[0]) } : whole
    const label = make('label', name)
    let input = make('input')
    let read = () => (input.value === '' ? undefined : input.value)
    if (schema.type === 'boolean') {
      input.type = 'checkbox'
      input.checked = schema.default === true
      label.prepend(input)
      return { label, input, read: () => input.checked }
    }
    if (schema.writeOnly || schema.format === 'password') {
      const isText = schema.type === 'string'
      Object.assign(input, { type: 'password', autocomplete: 'new-password', spellcheck: false })
      read = () => (input.value === '' ? undefined : isText ? input.value : parsed(name, input.value))
      label.append(make('span', text(isText ? 'secret' : 'secret-json'), 'hint'))
    } else if (BYTES.includes(schema.format) || schema.contentEncoding === 'base64') {
      input.type = 'file'
      read = () => bytesOf(name, input.files[0], schema)
      label.append(make('span', text('from-file'), 'hint'))
    } else if (schema.enum) {
      input = make('select')
      if (!required) input.append(make('option', ''))
      schema.enum.forEach((value) => input.append(make('option', String(value))))
      read = () => schema.enum[input.selectedIndex - (required ? 0 : 1)]
    } else if (schema.type === 'number' || schema.type === 'integer') {
      input.type = 'number'
      input.step = schema.type === 'integer' ? '1' : 'any'
      read = () => (input.value === '' ? undefined : Number(input.value))
    } else if (schema.type === 'string') {
      // A text may have several lines; what has a format, or is short, has one.
      if (!schema.format && !(schema.maxLength <= ONE_LINE)) input = make('textarea', undefined, 'text')
    } else {
      input = make('textarea')
      read = () => (input.value.trim() === '' ? undefined : parsed(name, input.value))
      label.append(make('span', text('as-json'), 'hint'))
    }
    if (!required) label.append(make('span', text('optional'), 'hint'))
    label.htmlFor = input.id = id
    input.dir = 'auto'
    label.append(input)
    return { label, input, read }
  }

  /** A call that starts a task, and what it takes. */
  function callLine({ path, name, typed }) {
    const line = isolated('li')
    const parts = {
      call: make('code', `POST ${path}`),
      body: typed ? text('the-inputs') : make('code', `{"task": ${JSON.stringify(name)}, "inputs": {…}}`),
    }
    line.firstChild.append(...text('call').split(/\{(call|body)\}/).map((part) => parts[part] ?? part))
    return line
  }

  /** One entry for each task: those that a site serves in two ways have two calls. */
  function byName(tasks) {
    const found = new Map()
    tasks.forEach((task) => {
      const known = found.get(task.name)
      if (known) known.calls.push(task)
      else found.set(task.name, { ...task, calls: [task] })
    })
    return [...found.values()]
  }

  function entry(task, id) {
    const node = document.getElementById('task-template').content.firstElementChild.cloneNode(true)
    node.id = id
    node.querySelector('h2 bdi').textContent = task.name
    node.querySelector('.call').append(...task.calls.map(callLine))
    node.querySelector('.about bdi').textContent = task.description
    node.querySelector('.shapes').append(shape('inputs', task.inputs), shape('outputs', task.outputs))
    const controls = Object.entries(task.inputs.properties || {}).map(([name, given]) => {
      const made = control(`${id}-${name}`, name, given, (task.inputs.required || []).includes(name))
      node.querySelector('.fields').append(made.label)
      return { name, ...made }
    })
    node.querySelector('progress').setAttribute('aria-label', text('progress-of', { task: task.name }))
    node.querySelector('pre').setAttribute('aria-label', text('answer-of', { task: task.name }))
    node.querySelector('form').addEventListener('submit', (event) => {
      event.preventDefault()
      submit(task, controls, node.querySelector('.run'), event.submitter)
    })
    return node
  }

  async function submit(task, controls, box, button) {
    const bar = box.querySelector('progress')
    const answer = box.querySelector('pre')
    const more = box.querySelector('.more')
    const show = (status, said, detail, uuid) => {
      box.hidden = false
      box.dataset.status = status
      box.querySelector('p bdi').textContent = said
      answer.hidden = detail === undefined
      const whole = typeof detail === 'string' ? detail : (JSON.stringify(detail, null, 2) ?? '')
      const shown = whole.slice(0, MOST.characters).split('\n', MOST.lines).join('\n')
      answer.textContent = shown
      more.hidden = shown === whole || !uuid
      more.querySelector('span').textContent = text('left', { count: Page.number(whole.length - shown.length) })
      if (uuid) more.querySelector('a').href = `${TaskAPI.options.baseURL}${uuid}/`
    }
    const inputs = {}
    for (const { name, input, read } of controls) {
      try {
        const value = await read()
        if (value !== undefined) inputs[name] = value
      } catch (error) {
        bar.hidden = true
        show('refused', error.message)
        input.focus()
        return
      }
    }
    const progress = ({ status, progress: done, target, messages }) => {
      if (target) Object.assign(bar, { max: target, value: done })
      show(status, status === 'pending' ? text('waiting') : messages[messages.length - 1] || text('status-running'))
    }
    bar.hidden = false
    bar.removeAttribute('value')
    button.disabled = true
    show('pending', text('submitting'))
    try {
      const record = await (task.typed ? start(task, inputs, progress) : TaskAPI.run(task.name, inputs, progress))
      Object.assign(bar, { max: 1, value: 1 })
      show('succeeded', text('status-succeeded'), record.outputs, record.uuid)
    } catch (reason) {
      bar.hidden = true
      if (reason instanceof Error) show('refused', reason.message, reason.body)
      else show(reason.status, text(`status-${reason.status}`), reason.error)
    }
    button.disabled = false
  }

  /** Submits to a task's own typed call; from then on it is a task like any other. */
  async function start(task, inputs, progress) {
    const prefix = `${TaskAPI.options.csrfCookieName}=`
    const cookie = document.cookie.split('; ').find((each) => each.startsWith(prefix)) || prefix
    const headers = { 'Content-Type': 'application/json', [TaskAPI.options.csrfHeaderName]: cookie.slice(prefix.length) }
    const response = await fetch(task.path, { method: 'POST', headers, body: JSON.stringify(inputs) })
    const body = await response.json()
    if (!response.ok) throw Object.assign(new Error(text('answered', { url: task.path, status: response.status })), { body })
    return TaskAPI.watch(body.uuid, progress)
  }

  async function load() {
    field('state').textContent = text('reading')
    const response = await fetch(root.dataset.openapi, { headers: { Accept: 'application/json' } })
    if (!response.ok) throw new Error(text('answered', { url: root.dataset.openapi, status: response.status }))
    api = await response.json()
    if (api.info?.title) field('title').textContent = document.title = api.info.title
    if (api.info?.description) field('description').textContent = api.info.description

    const served = []
    Object.entries(api.paths || {}).forEach(([path, item]) => {
      METHODS.filter((method) => item[method]).forEach((method) => {
        const operation = item[method]
        const tasks = method === 'post' ? tasksOf(path, operation) : []
        served.push(...tasks)
        if (tasks.length > 0) return
        const call = make('li')
        call.append(make('code', `${method.toUpperCase()} ${path}`))
        call.append(isolated('span', operation.summary || operation.description || '', 'note'))
        part('calls').querySelector('ul').append(call)
      })
    })
    const tasks = byName(served)
    tasks.forEach((task, index) => {
      const id = `task-${index}`
      const place = make('li')
      place.append(Object.assign(make('a', task.name), { href: `#${id}` }))
      part('index').firstElementChild.append(place)
      part('tasks').append(entry(task, id))
    })
    part('index').hidden = tasks.length < 2
    part('calls').hidden = part('calls').querySelector('ul').childElementCount === 0
    field('state').textContent = tasks.length ? '' : text('no-tasks')
  }

  load().catch((error) => {
    field('state').textContent = text('unreadable', { error: error.message })
  })
})()
