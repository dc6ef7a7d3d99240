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
     * Submit a task and follow its job until it ends.
     *
     * A submission is tried again, 3 times, only with an `idempotencyKey`; polls are always tried again.
     *
     * @param task the task's name
     * @param inputs its inputs by name
     * @param options how the job is submitted and followed; or `onProgress` alone, which `onSuccess`, `onError` and the options
     *   may follow, as in earlier releases
     * @param onSuccess called with the record when the job has succeeded
     * @param onError called with what the promise rejects with
     * @param more how the job is submitted and followed, where `options` is a function
     * @returns the job's record once it has succeeded, or with `follow: false` as soon as it is submitted. The promise rejects
     *   with the record when the job failed or was cancelled, with an `HTTPError` (`.status`, `.body`) when the server refused,
     *   and with the browser's own error when the server could not be reached.
     */
    run<Outputs = AnyOutputs>(
      task: string,
      inputs: object = {},
      options?: ProgressCallback<Outputs> | RunOptions<Outputs> | null,
      onSuccess?: SuccessCallback<Outputs> | null,
      onError?: ErrorCallback<Outputs> | null,
      more: RunOptions<Outputs> = {},
    ): Promise<TaskRecord<Outputs>> {
      const how = { ...more, ...settings(options) }
      const key = how.idempotencyKey
      const call = called(key ? { ...how, headers: { ...how.headers, 'Idempotency-Key': key } } : how)
      const submitted = patiently(() => post(urlOf(at.baseURL), { task, inputs }, call), call, key ? 3 : 0)
      if (how.follow === false) return submitted.then(({ body }) => body as TaskRecord<Outputs>)
      return outcome(submitted, 0, called(how), how.onProgress, onSuccess, onError)
    },

    /**
     * Follow a job that was submitted before, for example by an earlier page, as `run` follows its own. A group or a chain is
     * followed by its uuid as well: its records count its `members`.
     *
     * @param uuid the job's id
     * @param options how it is followed; or `onProgress` alone, which `onSuccess` and `onError` may follow, as in earlier
     *   releases
     * @param onSuccess called with the record when the job has succeeded
     * @param onError called with what the promise rejects with
     * @returns the job's record once it has succeeded. The promise rejects as that of `run` does.
     */
    watch<Outputs = AnyOutputs>(
      uuid: string,
      options?: ProgressCallback<Outputs> | RunOptions<Outputs> | null,
      onSuccess?: SuccessCallback<Outputs> | null,
      onError?: ErrorCallback<Outputs> | null,
    ): Promise<TaskRecord<Outputs>> {
      const how = settings(options)
      return outcome(poll(uuid, called(how)), at.pollInterval, called(how), how.onProgress, onSuccess, onError)
    },

    /**
     * Return the record of a job as it is now.
     *
     * @param uuid the job's id
     * @param options how the call is made
     * @returns the record. The promise rejects with an `HTTPError` of status 404 where there is no such job for the caller.
     */
    get: <Outputs = AnyOutputs>(uuid: string, options: CallOptions = {}): Promise<TaskRecord<Outputs>> =>
      get(pollURL(uuid, called(options)), called(options)).then(({ body }) => body as TaskRecord<Outputs>),

    /**
     * Return a page of the caller's own jobs, newest first.
     *
     * @param query `limit` is the most jobs of a page, from 1 to 100 (50 unless given); `cursor` the `next` of the page before
     * @param options how the call is made
     * @returns the page
     */
    list: (query: { limit?: number; cursor?: string | null } = {}, options: CallOptions = {}): Promise<TasksPage> =>
      page(urlOf(at.baseURL), query, options),

    /**
     * Request that a job be cancelled. A running one stops at its next step.
     *
     * @param uuid the job's id
     * @param options how the call is made
     * @returns its record then. The promise rejects with an `HTTPError` of status 409 where the job has ended already.
     */
    cancel: <Outputs = AnyOutputs>(uuid: string, options: CallOptions = {}): Promise<TaskRecord<Outputs>> =>
      post(urlOf(at.baseURL, uuid, 'cancel'), {}, called(options)).then(({ body }) => body as TaskRecord<Outputs>),

    /**
     * Return a page of the members of a group or a chain, in the order of their index.
     *
     * @param uuid the id of the group or chain
     * @param query which members
     * @param options how the call is made
     * @returns the page. The promise rejects with an `HTTPError` of status 404 where the job is no group or chain.
     */
    members: <Outputs = AnyOutputs>(
      uuid: string,
      query: MembersQuery = {},
      options: CallOptions = {},
    ): Promise<MembersPage<Outputs>> => page(urlOf(at.baseURL, uuid, 'members'), query, options),
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
 * Make a client with settings of its own, typed by the interface `Tasks` that `serverless-tasks types` writes.
 *
 * Each task is a property: `client.resize.run({ width: 3 })`. One whose name has a dot, or is that of a call, is run by its
 * name: `client.run('reports.monthly', {})`.
 *
 * @param settings what differs from `options`, which the client follows otherwise
 * @returns the client
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
