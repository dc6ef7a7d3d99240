import { follow, poll } from './follow.js'
import type { OnProgress } from './follow.js'
import { get, post, urlOf } from './http.js'
import type { Answer } from './http.js'
import { options } from './options.js'
import type { MembersPage, TaskRecord } from './record.js'

export { HTTPError } from './http.js'
export { options } from './options.js'
export type { Options } from './options.js'
export type { Member, MemberCounts, MembersPage, Status, TaskRecord } from './record.js'

/** Called with each record that is seen, the last one included. */
export type ProgressCallback<Outputs> = (record: TaskRecord<Outputs>) => void
/** Called with the record of a task that succeeded. */
export type SuccessCallback<Outputs> = (record: TaskRecord<Outputs>) => void
/** Called with the record of a task that failed or was cancelled, or with the error that kept us from knowing. */
export type ErrorCallback<Outputs> = (reason: TaskRecord<Outputs> | Error) => void

/** How a task is submitted. */
export interface SubmitOptions {
  /**
   * Made once for what the person wants (`crypto.randomUUID()`), and given again when it is tried again: the first task of
   * the key is followed then, and no second one is made. With other inputs the server refuses (409).
   */
  idempotencyKey?: string
}

/** Which members of a group or a chain to give. */
export interface MembersQuery {
  /** Only those that have ended so; without it all members, also those that have not ended. */
  status?: 'succeeded' | 'failed' | 'cancelled'
  /** `next` of the page before. */
  cursor?: string | null
  /** How many at most, from 1 to 100; 50 unless given. */
  limit?: number
}

type AnyOutputs = { [name: string]: unknown }

/**
 * Submits a task and follows it until it ends.
 *
 * @param task the name that the task is registered by
 * @param inputs its inputs by name
 * @param how how to submit it
 * @returns a promise of the record once the task has succeeded. It rejects with the record when the task failed or was
 *   cancelled, with an `HTTPError` (`.status`, `.body`) when the server refused, and with the browser's own error when
 *   the server could not be reached. Submitting is never tried again by itself; polling is.
 */
export const run = <Outputs = AnyOutputs>(
  task: string,
  inputs: object = {},
  onProgress?: ProgressCallback<Outputs> | null,
  onSuccess?: SuccessCallback<Outputs> | null,
  onError?: ErrorCallback<Outputs> | null,
  how: SubmitOptions = {},
): Promise<TaskRecord<Outputs>> =>
  outcome(post(urlOf(), { task, inputs }, how.idempotencyKey), 0, onProgress, onSuccess, onError)

/**
 * Follows a task that was submitted before (by an earlier page, say), exactly as `run` follows its own. A group or a chain is
 * followed by its uuid as well: its records count its `members`.
 */
export const watch = <Outputs = AnyOutputs>(
  uuid: string,
  onProgress?: ProgressCallback<Outputs> | null,
  onSuccess?: SuccessCallback<Outputs> | null,
  onError?: ErrorCallback<Outputs> | null,
): Promise<TaskRecord<Outputs>> => outcome(poll(uuid), options.pollInterval, onProgress, onSuccess, onError)

/**
 * Asks for a task to be cancelled.
 *
 * @returns a promise of its record. A task that has already ended rejects with an `HTTPError` of status 409.
 */
export const cancel = <Outputs = AnyOutputs>(uuid: string): Promise<TaskRecord<Outputs>> =>
  post(urlOf(uuid, 'cancel'), {}).then(({ body }) => body as TaskRecord<Outputs>)

/**
 * Gives a page of the members of a group or a chain, in the order of their index.
 *
 * @returns a promise of the page. What is no group rejects with an `HTTPError` of status 404.
 */
export const members = <Outputs = AnyOutputs>(uuid: string, query: MembersQuery = {}): Promise<MembersPage<Outputs>> => {
  const given = Object.entries(query).filter(([, value]) => value != null)
  const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString()
  return get<MembersPage<Outputs>>(urlOf(uuid, 'members') + (search && `?${search}`)).then(({ body }) => body)
}

function outcome<Outputs>(
  answer: Promise<Answer>,
  wait: number,
  onProgress?: ProgressCallback<Outputs> | null,
  onSuccess?: SuccessCallback<Outputs> | null,
  onError?: ErrorCallback<Outputs> | null,
): Promise<TaskRecord<Outputs>> {
  const ended = answer
    .then((first) => follow(first, wait, onProgress as OnProgress))
    .then((record) => {
      if (record.status !== 'succeeded') throw record
      return record as TaskRecord<Outputs>
    })
  // A branch of its own: an error that a callback throws shows in the console and leaves the outcome as it is.
  if (onSuccess || onError) ended.then(onSuccess, onError ?? (() => {}))
  return ended
}

export default { run, watch, cancel, members, options }
