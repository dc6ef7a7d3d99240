/** A token that the server takes in place of a session: the token, or a function that gives one, called again after a 401. */
export type Token = string | (() => string | Promise<string>)

/** Settings of a client. Each call reads them afresh. */
export interface Options {
  /** Where the site includes `django_integration.urls`: a path, or an absolute URL for another origin. */
  baseURL: string
  /** The cookie that holds Django's CSRF token: the site's `CSRF_COOKIE_NAME`. */
  csrfCookieName: string
  /** The request header that carries that token: the site's `CSRF_HEADER_NAME`, as a browser spells it. */
  csrfHeaderName: string
  /** The `mode` of each request. `'cors'` is for another origin, to which cookies are then sent along. */
  corsMode: RequestMode
  /** Time between two polls of a job, in milliseconds. */
  pollInterval: number
  /** Sent with each request as `Authorization: Bearer`, in place of cookies. */
  token?: Token
  /** Further headers of each request. */
  headers?: { [name: string]: string }
  /** Where jobs are polled with a token, in place of `baseURL`: the URL of a stack's status function for browsers. */
  statusURL?: string
}

/** What every call takes. */
export interface CallOptions {
  /** When it is aborted, waiting, polling and streaming end, and the promise rejects with its reason. The job goes on. */
  signal?: AbortSignal | undefined
  /** Further headers of this call's requests, beside those of the settings. */
  headers?: { [name: string]: string } | undefined
  /** Sent in place of the settings' token. */
  token?: Token | undefined
}

/** The settings of the package's calls, and of each client that has none of its own. Assign to its properties. */
export const options: Options = {
  baseURL: '/tasks/',
  csrfCookieName: 'csrftoken',
  csrfHeaderName: 'X-CSRFToken',
  corsMode: 'same-origin',
  pollInterval: 1000,
}
