import type { CallOptions, Options, Token } from './options.js'
import { pause } from './page.js'
import type { TaskRecord } from './record.js'

/** How long an answer may take before a request counts as failed, in milliseconds. */
const TIMEOUT = 30_000

/** The longest wait between two tries, in milliseconds. */
const LONGEST_BACKOFF = 30_000

/** The server refused a request, or its answer is not a record. */
export class HTTPError extends Error {
  /**
   * @param message the URL, the status and the server's reason
   * @param status the HTTP status of the answer
   * @param body the answer's JSON as an object, or its text where it is not JSON; of status 400 a `Refusal`
   * @param retryAfter how long the server asks to wait before the next try, in milliseconds; 0 where it does not say
   */
  constructor(
    message: string,
    readonly status: number,
    readonly body: unknown,
    readonly retryAfter: number,
  ) {
    super(message)
    this.name = 'HTTPError'
  }
}

/** What the server said, a record unless asked for something else, and whether it streams this task's changes. */
export interface Answer<Body = TaskRecord> {
  body: Body
  streams: boolean
}

/** Where a request goes to, and how. */
export interface Call extends CallOptions {
  /** The settings of the client that makes it. */
  at: Options
}

/** The URL of a task, or of what can be done with it; without a uuid, the one that tasks are submitted to. */
export function urlOf(base: string, uuid?: string, action?: string): string {
  let url = base.replace(/\/*$/, '/')
  if (uuid !== undefined) url += `${encodeURIComponent(uuid)}/`
  if (action !== undefined) url += `${action}/`
  return url
}

const tokenOf = (how: Call): Token | undefined => how.token ?? how.at.token

/** Where a job is asked for. */
export const pollURL = (uuid: string, how: Call): string =>
  urlOf((tokenOf(how) && how.at.statusURL) || how.at.baseURL, uuid)

/** The last token that a function has given. */
const given = new WeakMap<object, string>()

/** Sends a request; one that is refused with 401 is sent once more, with a fresh token, where a function gives them. */
export async function send(url: string, init: RequestInit, how: Call): Promise<Response> {
  const { at } = how
  const token = tokenOf(how)
  for (let again = false; ; again = true) {
    const headers: { [name: string]: string } = { Accept: 'application/json', ...at.headers, ...how.headers }
    if (init.body) headers['Content-Type'] = 'application/json'
    if (typeof token === 'function') {
      if (again || !given.has(token)) given.set(token, await token())
      headers['Authorization'] = `Bearer ${given.get(token)}`
    } else if (token) {
      headers['Authorization'] = `Bearer ${token}`
    } else if (init.body) {
      const secret = cookie(at.csrfCookieName)
      if (secret) headers[at.csrfHeaderName] = secret
    }
    const response = await fetch(url, {
      ...init,
      headers,
      mode: token ? 'cors' : at.corsMode,
      credentials: token ? 'omit' : at.corsMode === 'cors' ? 'include' : 'same-origin',
      // The browser asks again each time and sends the ETag it has: an unchanged record costs a 304 without a body.
      cache: 'no-cache',
    })
    if (response.status !== 401 || again || typeof token !== 'function') return response
  }
}

export const get = <Body = TaskRecord>(url: string, how: Call, retries = 3): Promise<Answer<Body>> =>
  patiently(() => request<Body>(url, {}, how), how, retries)

/** Asks for the record; with a poll interval of 1 s, some two minutes of failures are bridged. */
export const poll = (uuid: string, how: Call): Promise<Answer> => get(pollURL(uuid, how), how, 8)

export const post = (url: string, data: object, how: Call): Promise<Answer> =>
  request(url, { method: 'POST', body: JSON.stringify(data) }, how)

/** Tries again, with exponential backoff and jitter, what may go well the next time. */
export async function patiently<Result>(attempt: () => Promise<Result>, how: Call, retries: number): Promise<Result> {
  for (let failures = 0; ; failures++) {
    try {
      return await attempt()
    } catch (error) {
      if (failures === retries || how.signal?.aborted || !mayPass(error)) throw error
      const backoff = Math.min(how.at.pollInterval * 2 ** failures, LONGEST_BACKOFF)
      const asked = error instanceof HTTPError ? Math.min(error.retryAfter, LONGEST_BACKOFF) : 0
      await pause(Math.max(backoff * (0.5 + Math.random() / 2), asked), how.signal)
    }
  }
}

/** Without an answer (network, timeout), with 429 or with 5xx the next try may go well. */
const mayPass = (error: unknown): boolean =>
  !(error instanceof HTTPError) || error.status === 429 || error.status >= 500

async function request<Body = TaskRecord>(url: string, init: RequestInit, how: Call): Promise<Answer<Body>> {
  const late = AbortSignal.timeout(TIMEOUT)
  // A job may have been made when a submission is given up: it has no time limit.
  const signals = [...(init.method ? [] : [late]), ...(how.signal ? [how.signal] : [])]
  const signal = signals.length > 1 ? AbortSignal.any(signals) : signals[0]
  const response = await send(url, signal ? { ...init, signal } : init, how)
  const text = await response.text()
  let body: unknown = text
  try {
    body = JSON.parse(text)
  } catch {
    // Not JSON: a proxy's page, or a login form that the request was redirected to. The error below carries it.
  }
  if (!response.ok || body === text) {
    const said = (body as { error?: { message?: string } } | null)?.error?.message ?? (response.ok ? 'not a record' : '')
    const seconds = Number(response.headers.get('Retry-After')) || 0
    throw new HTTPError(`${url} answered ${response.status}${said && `: ${said}`}`, response.status, body, seconds * 1000)
  }
  return { body: body as Body, streams: response.headers.get('X-Task-Events') === '1' }
}

function cookie(name: string): string | undefined {
  const cookies = typeof document === 'undefined' ? [] : document.cookie.split('; ')
  const found = cookies.find((each) => each.startsWith(`${name}=`))
  return found && decodeURIComponent(found.slice(name.length + 1))
}
