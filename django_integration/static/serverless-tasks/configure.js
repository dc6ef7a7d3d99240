// Tells the client what {% task_api %} knows of the site. A file of its own: a strict policy forbids inline scripts.
Object.assign(TaskAPI.options, {
  baseURL: document.currentScript.dataset.base,
  csrfCookieName: document.currentScript.dataset.csrfCookie,
  csrfHeaderName: document.currentScript.dataset.csrfHeader ?? TaskAPI.options.csrfHeaderName,
  ...(document.currentScript.dataset.statusUrl && { statusURL: document.currentScript.dataset.statusUrl }),
})
