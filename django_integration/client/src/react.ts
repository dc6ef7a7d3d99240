import { useCallback, useEffect, useRef, useState } from 'react'
import tasks from './index.js'
import type { AnyOutputs, CallOptions, RunOptions, TaskRecord, TasksPage } from './index.js'
import { pause } from './page.js'

/** What the hooks need of a client: the default one, or one that `createClient` has made. */
export interface Followed {
  watch(uuid: string, how?: RunOptions<any>): Promise<TaskRecord<any>>
  list(query?: { limit?: number; cursor?: string | null }, how?: CallOptions): Promise<TasksPage>
  cancel(uuid: string, how?: CallOptions): Promise<TaskRecord<any>>
}

/** How a hook makes its calls. */
export interface HookOptions extends Omit<CallOptions, 'signal'> {
  /** A client of one's own, in place of the default one. */
  client?: Followed | undefined
}

/** A job as a component sees it. */
export interface TaskState<Outputs> {
  /** As it was last seen; null before the first answer. */
  record: TaskRecord<Outputs> | null
  /** What keeps us from knowing how it goes on: an `HTTPError`, or the browser's own. A job that fails has `record.error`. */
  error: Error | null
  /** Whether more is to come. */
  isPending: boolean
  /** Asks for it to be cancelled. */
  cancel: () => Promise<void>
}

/** A job's uuid, or what submits one: `() => client.resize.run(inputs, { follow: false })`; nothing yet is null. */
export type Start<Outputs> = string | (() => Promise<TaskRecord<Outputs>>) | null | undefined

const nothing = { record: null, error: null, isPending: true }

/**
 * Follows a job for as long as the component is there, and submits it before where a function is given: once, whatever React
 * repeats, and again only after `again` has changed. Leaving ends the following; the job goes on.
 *
 * @param start the job
 * @param how how calls are made; `again` starts anew when it changes
 */
export function useTask<Outputs = AnyOutputs>(
  start: Start<Outputs>,
  how: HookOptions & { again?: unknown } = {},
): TaskState<Outputs> {
  type State = Omit<TaskState<Outputs>, 'cancel'>
  const [state, setState] = useState<State>(nothing)
  const latest = useRef({ start, how })
  latest.current = { start, how }
  const submitted = useRef<{ key: unknown; job: Promise<TaskRecord<Outputs>> } | null>(null)
  const uuid = typeof start === 'string' ? start : null
  const isAsked = start != null
  useEffect(() => {
    const { start, how } = latest.current
    if (start == null) {
      submitted.current = null
      return setState({ ...nothing, isPending: false })
    }
    const stop = new AbortController()
    const show = (record: TaskRecord<Outputs>): void =>
      setState({ record, error: null, isPending: record.status === 'pending' || record.status === 'running' })
    const watch = (uuid: string) => (how.client ?? tasks).watch(uuid, { ...how, signal: stop.signal, onProgress: show })
    setState(nothing)
    let ended
    if (typeof start === 'string') {
      ended = watch(start)
    } else {
      // React may run an effect twice: the second run follows the job of the first.
      if (submitted.current?.key !== how.again || !submitted.current) submitted.current = { key: how.again, job: start() }
      ended = submitted.current.job.then((record) => {
        if (stop.signal.aborted) return
        show(record)
        return watch(record.uuid)
      })
    }
    ended.catch((reason) => {
      // A record of a job that has failed was shown.
      if (stop.signal.aborted || !(reason instanceof Error)) return
      setState((seen) => ({ ...seen, error: reason, isPending: false }))
    })
    return () => stop.abort()
  }, [uuid, isAsked, how.again])
  const known = state.record?.uuid ?? uuid
  const cancel = useCallback(async () => {
    const { how } = latest.current
    if (known) await (how.client ?? tasks).cancel(known, how)
  }, [known])
  return { ...state, cancel }
}

/** The caller's jobs as a component sees them. */
export interface TaskListState {
  /** Newest first. */
  tasks: TaskRecord[]
  /** The cursor of the next page; null on the last. */
  next: string | null
  /** What keeps us from knowing them. */
  error: Error | null
  /** Asks for them now. */
  refresh: () => void
}

/**
 * Lists the caller's jobs for as long as the component is there, again every `interval` milliseconds while the page is seen.
 *
 * @param query which page
 * @param how how calls are made; `interval` is 5000 unless given
 */
export function useTaskList(
  { limit, cursor }: { limit?: number; cursor?: string | null } = {},
  how: HookOptions & { interval?: number } = {},
): TaskListState {
  const [state, setState] = useState<Omit<TaskListState, 'refresh'>>({ tasks: [], next: null, error: null })
  const [turn, setTurn] = useState(0)
  const latest = useRef(how)
  latest.current = how
  useEffect(() => {
    const stop = new AbortController()
    const { signal } = stop
    const look = async (): Promise<void> => {
      while (!signal.aborted) {
        const { client = tasks, interval = 5000, ...given } = latest.current
        const query = { ...(limit === undefined ? {} : { limit }), cursor: cursor ?? null }
        const found = await client.list(query, { ...given, signal }).then(
          (page) => ({ ...page, error: null }),
          (error: Error) => ({ error }),
        )
        if (!signal.aborted) setState((seen) => ({ ...seen, ...found }))
        await pause(interval, signal)
      }
    }
    look().catch(() => {}) // the signal has ended the pause
    return () => stop.abort()
  }, [limit, cursor, turn])
  return { ...state, refresh: useCallback(() => setTurn((turn) => turn + 1), []) }
}
