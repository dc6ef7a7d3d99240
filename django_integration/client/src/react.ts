import { useCallback, useEffect, useRef, useState } from 'react'
import tasks from './index.js'
import type { AnyOutputs, CallOptions, RunOptions, TaskRecord, TasksPage } from './index.js'
import { pause } from './page.js'

/** The calls that the hooks need of a client: the package's own, or one that `createClient` has made. */
export interface Followed {
  /** Follow a job until it ends. */
  watch(uuid: string, options?: RunOptions<any>): Promise<TaskRecord<any>>
  /** Return a page of the caller's own jobs. */
  list(query?: { limit?: number; cursor?: string | null }, options?: CallOptions): Promise<TasksPage>
  /** Request that a job be cancelled. */
  cancel(uuid: string, options?: CallOptions): Promise<TaskRecord<any>>
}

/** How a hook makes its calls. */
export interface HookOptions extends Omit<CallOptions, 'signal'> {
  /** A client that `createClient` has made, in place of the package's own calls. */
  client?: Followed | undefined
}

/** The job that `useTask` follows. */
export interface TaskState<Outputs> {
  /** Its record as it was last received; null before the first answer. */
  record: TaskRecord<Outputs> | null
  /**
   * What keeps the client from knowing how the job goes on: an `HTTPError`, or the browser's own error. The reason of a job that
   * has failed is `record.error`.
   */
  error: Error | null
  /** Whether more records are to come. */
  isPending: boolean
  /** Request that the job be cancelled. */
  cancel: () => Promise<void>
}

/** A job's uuid, or a function that submits one: `() => client.resize.run(inputs, { follow: false })`; null for nothing yet. */
export type Start<Outputs> = string | (() => Promise<TaskRecord<Outputs>>) | null | undefined

const nothing = { record: null, error: null, isPending: true }

/**
 * Follow a job for as long as the component is mounted, and submit it first where a function is given: once, in StrictMode too,
 * and again only after `again` has changed. Unmounting ends the following; the job goes on.
 *
 * @param start the job
 * @param options how calls are made; the hook starts anew when `again` changes
 */
export function useTask<Outputs = AnyOutputs>(
  start: Start<Outputs>,
  options: HookOptions & { again?: unknown } = {},
): TaskState<Outputs> {
  type State = Omit<TaskState<Outputs>, 'cancel'>
  const [state, setState] = useState<State>(nothing)
  const latest = useRef({ start, options })
  latest.current = { start, options }
  const submitted = useRef<{ key: unknown; job: Promise<TaskRecord<Outputs>> } | null>(null)
  const uuid = typeof start === 'string' ? start : null
  const isAsked = start != null
  useEffect(() => {
    const { start, options } = latest.current
    if (start == null) {
      submitted.current = null
      return setState({ ...nothing, isPending: false })
    }
    const stop = new AbortController()
    const show = (record: TaskRecord<Outputs>): void =>
      setState({ record, error: null, isPending: record.status === 'pending' || record.status === 'running' })
    const watch = (uuid: string) => (options.client ?? tasks).watch(uuid, { ...options, signal: stop.signal, onProgress: show })
    setState(nothing)
    let ended
    if (typeof start === 'string') {
      ended = watch(start)
    } else {
      // React may run an effect twice: the second run follows the job of the first.
      if (submitted.current?.key !== options.again || !submitted.current) submitted.current = { key: options.again, job: start() }
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
  }, [uuid, isAsked, options.again])
  const known = state.record?.uuid ?? uuid
  const cancel = useCallback(async () => {
    const { options } = latest.current
    if (known) await (options.client ?? tasks).cancel(known, options)
  }, [known])
  return { ...state, cancel }
}

/** The jobs that `useTaskList` lists. */
export interface TaskListState {
  /** Their records, newest first. */
  tasks: TaskRecord[]
  /** The `cursor` that asks for the next page; null on the last. */
  next: string | null
  /** What keeps the client from knowing them, since the last time that it asked. */
  error: Error | null
  /** Ask for them now. */
  refresh: () => void
}

/**
 * List the caller's own jobs for as long as the component is mounted, and again every `interval` milliseconds while the page is
 * shown.
 *
 * @param query which page: `limit` is the most jobs of a page, `cursor` the `next` of the page before
 * @param options how calls are made; `interval` is in milliseconds, 5000 unless given
 */
export function useTaskList(
  { limit, cursor }: { limit?: number; cursor?: string | null } = {},
  options: HookOptions & { interval?: number } = {},
): TaskListState {
  const [state, setState] = useState<Omit<TaskListState, 'refresh'>>({ tasks: [], next: null, error: null })
  const [turn, setTurn] = useState(0)
  const latest = useRef(options)
  latest.current = options
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
