import type { CallOptions, Options } from './options.js'
import type { MembersPage, TaskRecord, TasksPage } from './record.js'

export type AnyOutputs = { [name: string]: unknown }

/** Called with each record that is seen, the last one included. */
export type ProgressCallback<Outputs> = (record: TaskRecord<Outputs>) => void
/** Called with the record of a task that succeeded. */
export type SuccessCallback<Outputs> = (record: TaskRecord<Outputs>) => void
/** Called with the record of a task that failed or was cancelled, or with the error that kept us from knowing. */
export type ErrorCallback<Outputs> = (reason: TaskRecord<Outputs> | Error) => void

/** How a task is submitted and followed. */
export interface RunOptions<Outputs = AnyOutputs> extends CallOptions {
  /** Called with each record that is seen, the last one included. */
  onProgress?: ProgressCallback<Outputs> | null | undefined
  /**
   * Made once for what the person wants (`crypto.randomUUID()`), and given again when it is tried again: the first task of
   * the key is followed then, and no second one is made. With other inputs the server refuses (409).
   */
  idempotencyKey?: string | undefined
  /** `false`: resolve as soon as it is submitted, with the record as it is then. */
  follow?: boolean | undefined
}

/** @deprecated The name of earlier releases; see `RunOptions`. */
export type SubmitOptions = Pick<RunOptions, 'idempotencyKey'>

/** Which members of a group or a chain to give. */
export interface MembersQuery {
  /** Only those that have ended so; without it all members, also those that have not ended. */
  status?: 'succeeded' | 'failed' | 'cancelled'
  /** `next` of the page before. */
  cursor?: string | null
  /** How many at most, from 1 to 100; 50 unless given. */
  limit?: number
}

/** The body of an `HTTPError` of status 400: `Refusal<Tasks['resize']['errors']>`. */
export interface Refusal<Fields extends string = string> {
  error: {
    type: string
    message: string
    /** The fields that were refused; the empty one stands for the inputs as a whole. */
    fields?: { field: Fields; message: string; loc: (string | number)[]; type: string }[]
  }
}

type Inputs<Task> = Task extends { inputs: infer Given } ? Given : object
type Outputs<Task> = Task extends { outputs: infer Given } ? Given : AnyOutputs

/** The inputs, which need not be given where none is required, and how. */
type Given<Task> =
  {} extends Inputs<Task>
    ? [inputs?: Inputs<Task>, how?: RunOptions<Outputs<Task>>]
    : [inputs: Inputs<Task>, how?: RunOptions<Outputs<Task>>]

/** The functions of a client, typed by an interface of tasks. */
export interface API<Tasks> {
  /** The settings of this client. */
  options: Options
  /** See `run`. */
  run<Name extends keyof Tasks & string>(task: Name, ...given: Given<Tasks[Name]>): Promise<TaskRecord<Outputs<Tasks[Name]>>>
  /** See `watch`: `client.watch<'resize'>(uuid)`. */
  watch<Name extends keyof Tasks & string>(
    uuid: string,
    how?: RunOptions<Outputs<Tasks[Name]>>,
  ): Promise<TaskRecord<Outputs<Tasks[Name]>>>
  /** See `get`. */
  get<Name extends keyof Tasks & string>(uuid: string, how?: CallOptions): Promise<TaskRecord<Outputs<Tasks[Name]>>>
  /** See `list`. */
  list(query?: { limit?: number; cursor?: string | null }, how?: CallOptions): Promise<TasksPage>
  /** See `cancel`. */
  cancel<Name extends keyof Tasks & string>(uuid: string, how?: CallOptions): Promise<TaskRecord<Outputs<Tasks[Name]>>>
  /** See `members`. */
  members<Name extends keyof Tasks & string>(
    uuid: string,
    query?: MembersQuery,
    how?: CallOptions,
  ): Promise<MembersPage<Outputs<Tasks[Name]>>>
}

/** The tasks of a client by their names; those that have the name of one of its functions are left out. */
export type Client<Tasks> = API<Tasks> & {
  readonly [Name in Exclude<keyof Tasks & string, keyof API<Tasks>>]: {
    /** Submits the task and follows it; see `run`. */
    run(...given: Given<Tasks[Name]>): Promise<TaskRecord<Outputs<Tasks[Name]>>>
  }
}
