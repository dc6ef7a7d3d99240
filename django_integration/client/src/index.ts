import { follow } from './follow.js'
import type { OnProgress } from './follow.js'
import { get, patiently, poll, pollURL, post, urlOf } from './http.js'
import type { Answer, Call } from './http.js'
import { options } from './options.js'
import type { CallOptions, Options } from './options.js'
import type { MembersPage, TaskRecord, TasksPage } from './record.js'
import type { AnyOutputs, Client, ErrorCallback, MembersQuery, ProgressCallback, RunOptions, SuccessCallback } from './types.js'

export { HTTPError } from './http.js'
export { options } from './options.js'
export type { CallOptions, Options, Token } from './options.js'
export type { Member, MemberCounts, MembersPage, Status, TaskRecord, TasksPage } from './record.js'
export type * from './types.js'

/** The functions of a client, for its settings. */
function make(at: Options) {
  const called = (how: CallOptions): Call => ({ ...how, at })
  const page = <Page>(url: string, query: object, how: CallOptions): Promise<Page> => {
    const given = Object.entries(query).filter(([, value]) => value != null)
    const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString()
    return get<Page>(url + (search && `?${search}`), called(how)).then(({ body }) => body)
  }
  return {
    options: at,

    /**
     * Submits a task and follows it until it ends.
     *
     * @param task the name that the task is registered by
     * @param inputs its inputs by name
     * @param third how, or what is called with each record; the positions after it are those of earlier releases
     * @returns a promise of the record once the task has succeeded, or with `follow: false` as soon as it is submitted. It
     *   rejects with the record when the task failed or was cancelled, with an `HTTPError` (`.status`, `.body`) when the
     *   server refused, and with the browser's own error when the server could not be reached. Submitting is tried again
     *   only with an `idempotencyKey`, polling always.
     */
    run<Outputs = AnyOutputs>(
      task: string,
      inputs: object = {},
      third?: ProgressCallback<Outputs> | RunOptions<Outputs> | null,
      onSuccess?: SuccessCallback<Outputs> | null,
      onError?: ErrorCallback<Outputs> | null,
      sixth: RunOptions<Outputs> = {},
    ): Promise<TaskRecord<Outputs>> {
      const how = { ...sixth, ...settings(third) }
      const key = how.idempotencyKey
      const call = called(key ? { ...how, headers: { ...how.headers, 'Idempotency-Key': key } } : how)
      const submitted = patiently(() => post(urlOf(at.baseURL), { task, inputs }, call), call, key ? 3 : 0)
      if (how.follow === false) return submitted.then(({ body }) => body as TaskRecord<Outputs>)
      return outcome(submitted, 0, called(how), how.onProgress, onSuccess, onError)
    },

    /**
     * Follows a task that was submitted before (by an earlier page, say), exactly as `run` follows its own. A group or a
     * chain is followed by its uuid as well: its records count its `members`.
     */
    watch<Outputs = AnyOutputs>(
      uuid: string,
      second?: ProgressCallback<Outputs> | RunOptions<Outputs> | null,
      onSuccess?: SuccessCallback<Outputs> | null,
      onError?: ErrorCallback<Outputs> | null,
    ): Promise<TaskRecord<Outputs>> {
      const how = settings(second)
      return outcome(poll(uuid, called(how)), at.pollInterval, called(how), how.onProgress, onSuccess, onError)
    },

    /** Gives the record of a task as it is now. */
    get: <Outputs = AnyOutputs>(uuid: string, how: CallOptions = {}): Promise<TaskRecord<Outputs>> =>
      get(pollURL(uuid, called(how)), called(how)).then(({ body }) => body as TaskRecord<Outputs>),

    /** Gives a page of the caller's own jobs, newest first. */
    list: (query: { limit?: number; cursor?: string | null } = {}, how: CallOptions = {}): Promise<TasksPage> =>
      page(urlOf(at.baseURL), query, how),

    /**
     * Asks for a task to be cancelled.
     *
     * @returns a promise of its record. A task that has already ended rejects with an `HTTPError` of status 409.
     */
    cancel: <Outputs = AnyOutputs>(uuid: string, how: CallOptions = {}): Promise<TaskRecord<Outputs>> =>
      post(urlOf(at.baseURL, uuid, 'cancel'), {}, called(how)).then(({ body }) => body as TaskRecord<Outputs>),

    /**
     * Gives a page of the members of a group or a chain, in the order of their index.
     *
     * @returns a promise of the page. What is no group rejects with an `HTTPError` of status 404.
     */
    members: <Outputs = AnyOutputs>(
      uuid: string,
      query: MembersQuery = {},
      how: CallOptions = {},
    ): Promise<MembersPage<Outputs>> => page(urlOf(at.baseURL, uuid, 'members'), query, how),
  }
}

const settings = <Outputs>(
  given?: ProgressCallback<Outputs> | RunOptions<Outputs> | null,
): RunOptions<Outputs> => (typeof given === 'function' ? { onProgress: given } : given ?? {})

function outcome<Outputs>(
  answer: Promise<Answer>,
  wait: number,
  how: Call,
  onProgress?: ProgressCallback<Outputs> | null,
  onSuccess?: SuccessCallback<Outputs> | null,
  onError?: ErrorCallback<Outputs> | null,
): Promise<TaskRecord<Outputs>> {
  const ended = answer
    .then((first) => follow(first, wait, how, onProgress as OnProgress))
    .then((record) => {
      if (record.status !== 'succeeded') throw record
      return record as TaskRecord<Outputs>
    })
  // A branch of its own: an error that a callback throws shows in the console and leaves the outcome as it is.
  if (onSuccess || onError) ended.then(onSuccess, onError ?? (() => {}))
  return ended
}

/**
 * Makes a client with settings of its own, typed by the interface `Tasks` that `serverless-tasks types` writes.
 *
 * Each task is a property: `client.resize.run({ width: 3 })`. One whose name has a dot, or is that of a function of the
 * client, is run by `client.run('reports.monthly', {})`.
 *
 * @param settings what differs from `options`, which it follows otherwise
 */
export function createClient<Tasks = { [name: string]: { inputs: any; outputs: any; errors: any } }>(
  settings: Partial<Options> = {},
): Client<Tasks> {
  const api = make(Object.assign(Object.create(options), settings))
  return new Proxy(api, {
    get: (own, name) =>
      name in own || typeof name === 'symbol'
        ? own[name as keyof typeof own]
        : { run: (inputs?: object, how?: object) => api.run(name, inputs, how as RunOptions<AnyOutputs>) },
  }) as unknown as Client<Tasks>
}

const api = make(options)
const { get: read } = api
export const { run, watch, list, cancel, members } = api
export { read as get }
export default { ...api, createClient }
