export type Status = 'pending' | 'running' | 'succeeded' | 'failed' | 'cancelled'

/** The members of a group or a chain, counted by how they ended. */
export interface MemberCounts {
  total: number
  /** Those that have ended, however they did. */
  ended: number
  succeeded: number
  failed: number
  cancelled: number
}

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
  /** Of a group or a chain alone: its progress is how many of them have ended. */
  members?: MemberCounts
  /** Of a member of a group or a chain alone: the uuid of that. */
  group?: string
  /** Of a job that repeats an ended one alone: the uuid of that. */
  retry_of?: string
  /** Of a job that was retried alone: the uuids of the jobs that repeat it, oldest first. */
  retried_as?: string[]
  /** Once an attempt has begun, where builds have ids: that of the code that ran the last one. */
  build?: string
}

/** A member of a group or a chain, with its number there, from 0. */
export interface Member<Outputs = { [name: string]: unknown }> extends TaskRecord<Outputs> {
  index: number
}

/** A page of members, in the order of their index. */
export interface MembersPage<Outputs = { [name: string]: unknown }> {
  members: Member<Outputs>[]
  /** What asks for the next page; null on the last. */
  next: string | null
}

/** A page of jobs, newest first. */
export interface TasksPage {
  tasks: TaskRecord[]
  /** What asks for the next page; null on the last. */
  next: string | null
}

export const hasEnded = ({ status }: TaskRecord): boolean => status !== 'pending' && status !== 'running'

/**
 * Whether `next` is certainly an older state than `seen`, as a server's other process may tell it for a second: a start is
 * never taken back, and neither is a message of one attempt, or the end of a member. Progress may be; nothing comes after an
 * end.
 */
export const isOlder = (next: TaskRecord, seen: TaskRecord): boolean =>
  !hasEnded(next) &&
  ((seen.started !== null && next.started === null) ||
    (next.members?.ended ?? 0) < (seen.members?.ended ?? 0) ||
    (next.attempt === seen.attempt && next.messages.length < seen.messages.length))
