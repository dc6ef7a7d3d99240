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
}

export const options: Options = {
  baseURL: '/tasks/',
  csrfCookieName: 'csrftoken',
  csrfHeaderName: 'X-CSRFToken',
  corsMode: 'same-origin',
  pollInterval: 1000,
}
