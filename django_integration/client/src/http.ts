import { options } from './options.js'
import type { TaskRecord } from './record.js'

/** How long a poll may go unanswered before it counts as failed, in milliseconds. */
const POLL_TIMEOUT = 30_000

/** The server refused a request, or answered with something that is not a record. */
export class HTTPError extends Error {
  /**
   * @param status the answer's HTTP status
   * @param body the answer's JSON as an object, or its text when it is not JSON
   * @param retryAfter what the server asks to wait before the next try, in milliseconds; 0 when it does not say
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

/** The URL of a task, or of what can be done with it; without a uuid, the one that tasks are submitted to. */
export function urlOf(uuid?: string, action?: string): string {
  let url = options.baseURL.replace(/\/*$/, '/')
  if (uuid !== undefined) url += `${encodeURIComponent(uuid)}/`
  if (action !== undefined) url += `${action}/`
  return url
}

export const sendsCookiesAbroad = (): boolean => options.corsMode === 'cors'

export const get = <Body = TaskRecord>(url: string): Promise<Answer<Body>> =>
  request<Body>(url, { signal: AbortSignal.timeout(POLL_TIMEOUT) })

export const post = (url: string, data: object, key?: string): Promise<Answer> =>
  request(url, { method: 'POST', body: JSON.stringify(data) }, key)

async function request<Body = TaskRecord>(url: string, init: RequestInit, key?: string): Promise<Answer<Body>> {
  const headers: { [name: string]: string } = { Accept: 'application/json' }
  if (key) headers['Idempotency-Key'] = key
  if (init.body) {
    headers['Content-Type'] = 'application/json'
    const token = csrfToken()
    if (token) headers[options.csrfHeaderName] = token
  }
  const response = await fetch(url, {
    ...init,
    headers,
    mode: options.corsMode,
    credentials: sendsCookiesAbroad() ? 'include' : 'same-origin',
    // The browser asks again each time and sends the ETag it has: an unchanged record costs a 304 without a body.
    cache: 'no-cache',
  })
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

function csrfToken(): string | undefined {
  const prefix = `${options.csrfCookieName}=`
  const cookies = typeof document === 'undefined' ? [] : document.cookie.split('; ')
  const found = cookies.find((cookie) => cookie.startsWith(prefix))
  return found && decodeURIComponent(found.slice(prefix.length))
}
