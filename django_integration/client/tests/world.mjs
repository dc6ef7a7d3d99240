/** A server that answers from a script, a page that can be hidden, event streams played by hand, and time by hand. */
import { mock } from 'node:test'
import { build } from 'esbuild'

const { outputFiles } = await build({
  entryPoints: [new URL('../src/index.ts', import.meta.url).pathname],
  bundle: true,
  format: 'esm',
  write: false,
})
/** The client as its source is now, whatever was built before. */
export const { default: tasks, HTTPError, createClient } = await import(
  `data:text/javascript,${encodeURIComponent(outputFiles[0].text)}`
)

/** Lets everything that waits on promises go as far as it can. */
export const settle = () => new Promise((resolve) => setImmediate(resolve))

export async function advance(ms) {
  mock.timers.tick(ms)
  for (let turn = 0; turn < 5; turn++) await settle()
}

export const aRecord = (changes = {}) => ({
  uuid: 'u-1',
  task: 'sum',
  status: 'running',
  progress: 0,
  target: null,
  outputs: {},
  messages: [],
  error: null,
  attempt: 1,
  created: '2026-01-01T00:00:00Z',
  started: null,
  finished: null,
  ...changes,
})

export const answer = (record, { status = 200, headers = {} } = {}) => ({ status, headers, body: JSON.stringify(record) })
export const refusal = (status, body = { detail: 'no' }, headers = {}) => answer(body, { status, headers })
export const unreachable = () => ({ networkError: true })

class Page extends EventTarget {
  cookie = 'other=1; csrftoken=s3cret'
  hidden = false

  async show(visible) {
    this.hidden = !visible
    this.dispatchEvent(new Event('visibilitychange'))
    await settle()
  }
}

/** A stream that is played by hand. */
class Stream {
  closed = false

  constructor(url, init, answer) {
    const body = new ReadableStream({ start: (controller) => { this.controller = controller } })
    init.signal.addEventListener('abort', () => {
      this.closed = true
      this.controller.error(init.signal.reason)
    })
    this.response = new Response(body, { headers: { 'Content-Type': 'text/event-stream' }, ...answer })
    Object.assign(this, { url, init })
  }

  async write(text) {
    this.controller.enqueue(new TextEncoder().encode(text))
    for (let turn = 0; turn < 5; turn++) await settle()
  }

  say(record) {
    return this.write(`id: 1\ndata: ${JSON.stringify(record)}\n\n`)
  }

  async fail() {
    this.controller.error(new TypeError('network error'))
    for (let turn = 0; turn < 5; turn++) await settle()
  }
}

/** Puts the stand-ins in place. `script` holds the server's answers, in order; the last one is repeated. */
export function makeWorld(script) {
  const world = { requests: [], page: new Page(), streams: [] }
  mock.timers.enable({ apis: ['setTimeout'] })
  mock.method(Math, 'random', () => 1)
  globalThis.document = world.page
  globalThis.fetch = async (url, init) => {
    if (url.endsWith('/events/')) {
      const stream = new Stream(url, init, world.refusals?.shift())
      world.streams.push(stream)
      return stream.response
    }
    world.requests.push({ url, method: init.method ?? 'GET', ...init })
    const next = script.length > 1 ? script.shift() : script[0]
    if (next.networkError) throw new TypeError('Failed to fetch')
    return new Response(next.body, { status: next.status, headers: next.headers })
  }
  return world
}

export function endWorld() {
  mock.timers.reset()
  mock.restoreAll()
  delete globalThis.document
}

/** Whether a promise is settled by now, and with what. */
export function outcomeOf(promise) {
  const outcome = { state: 'pending' }
  promise.then(
    (value) => Object.assign(outcome, { state: 'resolved', value }),
    (value) => Object.assign(outcome, { state: 'rejected', value }),
  )
  return outcome
}
