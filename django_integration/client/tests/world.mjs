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
export const { default: tasks, HTTPError } = await import(
  `data:text/javascript,${encodeURIComponent(outputFiles[0].text)}`
)

/** Lets everything that waits on promises go as far as it can. */
export const settle = () => new Promise((resolve) => setImmediate(resolve))

export async function advance(ms) {
  mock.timers.tick(ms)
  await settle()
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

class Stream {
  static opened = []
  closed = false

  constructor(url, init) {
    Object.assign(this, { url, init })
    Stream.opened.push(this)
  }

  close() {
    this.closed = true
  }

  async say(record) {
    this.onmessage({ data: JSON.stringify(record) })
    await settle()
  }

  async fail() {
    this.onerror(new Event('error'))
    await settle()
  }
}

/** Puts the stand-ins in place. `script` holds the server's answers, in order; the last one is repeated. */
export function makeWorld(script) {
  const world = { requests: [], page: new Page(), streams: [] }
  Stream.opened = world.streams
  mock.timers.enable({ apis: ['setTimeout'] })
  mock.method(Math, 'random', () => 1)
  globalThis.document = world.page
  globalThis.EventSource = Stream
  globalThis.fetch = async (url, init) => {
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
  delete globalThis.EventSource
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
