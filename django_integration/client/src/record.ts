/** The state of a job. The last three are final. */
export type Status = 'pending' | 'running' | 'succeeded' | 'failed' | 'cancelled'

/** The members of a group or a chain, counted by how they ended. */
export interface MemberCounts {
  /** How many members there are. */
  total: number
  /** How many have ended, however they did. */
  ended: number
  /** How many have succeeded. */
  succeeded: number
  /** How many have failed. */
  failed: number
  /** How many were cancelled, those that never ran among them. */
  cancelled: number
}

/** The record of a job. Times are ISO 8601 in UTC. */
export interface TaskRecord<Outputs = { [name: string]: unknown }> {
  /** The job's id. */
  uuid: string
  /** The name of its task. */
  task: string
  /** Its state. */
  status: Status
  /** How far it is, in the units of `target`. */
  progress: number
  /** What `progress` is when it is done; null where the task has not said. */
  target: number | null
  /** What the task returned, by name. Empty until the job has succeeded. */
  outputs: Outputs
  /** What the task has reported, oldest first. */
  messages: string[]
  /** Why it failed or was cancelled; null otherwise. */
  error: {
    /** The name of the exception's class. */
    type: string
    /** The reason, as far as the caller may read it. */
    message: string
  } | null
  /** The number of its last attempt, from 1; 0 before the first. */
  attempt: number
  /** When it was submitted. */
  created: string
  /** When its first attempt began; null before that. */
  started: string | null
  /** When it ended; null until then. */
  finished: string | null
  /** `true` from the request to cancel it until it ends. */
  cancel_requested?: boolean
  /** Of a group or a chain only: its members, counted. Its `progress` is how many of them have ended. */
  members?: MemberCounts
  /** Of a member of a group or a chain only: the uuid of that group or chain. */
  group?: string
  /** Of a job that repeats an ended one only: the uuid of that one. */
  retry_of?: string
  /** Of a job that was retried only: the uuids of the jobs that repeat it, oldest first. */
  retried_as?: string[]
  /** The id of the build that ran the last attempt, where builds have ids. */
  build?: string
}

/** The record of a member of a group or a chain. */
export interface Member<Outputs = { [name: string]: unknown }> extends TaskRecord<Outputs> {
  /** Its place in the group or chain, from 0. */
  index: number
}

/** A page of members, in the order of their index. */
export interface MembersPage<Outputs = { [name: string]: unknown }> {
  /** The members of this page. */
  members: Member<Outputs>[]
  /** The `cursor` that asks for the next page; null on the last. */
  next: string | null
}

/** A page of jobs, newest first. */
export interface TasksPage {
  /** The records of this page. */
  tasks: TaskRecord[]
  /** The `cursor` that asks for the next page; null on the last. */
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
