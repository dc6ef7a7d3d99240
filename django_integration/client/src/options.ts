/** A token that the server takes in place of a session: itself, or what gives one, called again when it has expired. */
export type Token = string | (() => string | Promise<string>)

/** Settings of the client. Change the properties of `options`; each call reads them afresh. */
export interface Options {
  /** Where the server's task URLs are included: a path, or a whole URL for another origin. */
  baseURL: string
  /** The cookie that holds Django's CSRF token. */
  csrfCookieName: string
  /** The request header that carries the token. */
  csrfHeaderName: string
  /** The `mode` of each request. With `'cors'` cookies are sent to the other origin. */
  corsMode: RequestMode
  /** Time between two polls, in milliseconds. */
  pollInterval: number
  /** Sent with each request in place of cookies, as `Authorization: Bearer`. */
  token?: Token
  /** Sent with each request. */
  headers?: { [name: string]: string }
  /** Where jobs are polled with a token, in place of `baseURL`: a status function that answers browsers. */
  statusURL?: string
}

/** How one call is made. */
export interface CallOptions {
  /** Ends waiting, polling and streaming; the promise rejects with its reason. The job goes on. */
  signal?: AbortSignal | undefined
  /** Sent with the requests of this call, beside those of the options. */
  headers?: { [name: string]: string } | undefined
  /** In place of the options' token. */
  token?: Token | undefined
}

export const options: Options = {
  baseURL: '/tasks/',
  csrfCookieName: 'csrftoken',
  csrfHeaderName: 'X-CSRFToken',
  corsMode: 'same-origin',
  pollInterval: 1000,
}
