export type Status = 'pending' | 'running' | 'succeeded' | 'failed' | 'cancelled'

/** A task as the server tells it. Times are ISO 8601 in UTC. */
export interface TaskRecord<Outputs = { [name: string]: unknown }> {
  uuid: string
  task: string
  status: Status
  progress: number
  target: number | null
  /** Empty until there are some. */
  outputs: Outputs
  messages: string[]
  /** Why it failed, or null. */
  error: { type: string; message: string } | null
  attempt: number
  created: string
  started: string | null
  finished: string | null
  /** Present from the moment a cancel was asked for until the task ends. */
  cancel_requested?: boolean
}

export const hasEnded = ({ status }: TaskRecord): boolean => status !== 'pending' && status !== 'running'

/**
 * Whether `next` is certainly an older state than `seen`, as a server's other process may tell it for a second: a start is
 * never taken back, and neither is a message of one attempt. Progress may be; nothing comes after an end.
 */
export const isOlder = (next: TaskRecord, seen: TaskRecord): boolean =>
  !hasEnded(next) &&
  ((seen.started !== null && next.started === null) ||
    (next.attempt === seen.attempt && next.messages.length < seen.messages.length))
