import type { CallOptions, Options } from './options.js'
import type { MembersPage, TaskRecord, TasksPage } from './record.js'

/** The outputs of a task whose types are not known. */
export type AnyOutputs = { [name: string]: unknown }

/** Called with each record that is received, the first and the last one included. */
export type ProgressCallback<Outputs> = (record: TaskRecord<Outputs>) => void
/** Called with the record of a job that has succeeded. */
export type SuccessCallback<Outputs> = (record: TaskRecord<Outputs>) => void
/** Called with the record of a job that failed or was cancelled, or with the error that kept the client from knowing. */
export type ErrorCallback<Outputs> = (reason: TaskRecord<Outputs> | Error) => void

/** How a job is submitted and followed. */
export interface RunOptions<Outputs = AnyOutputs> extends CallOptions {
  /** Called with each record that is received, the first and the last one included. */
  onProgress?: ProgressCallback<Outputs> | null | undefined
  /**
   * Makes several submissions one job: make the key once for what the person wants (`crypto.randomUUID()`), and give it again
   * when you try again. The client also tries such a submission again by itself. The server refuses a key that was used with
   * other inputs (409). Of `run` only.
   */
  idempotencyKey?: string | undefined
  /** `false` resolves as soon as the job is submitted, with its record then. Of `run` only. */
  follow?: boolean | undefined
}

/** @deprecated The name of earlier releases; see `RunOptions`. */
export type SubmitOptions = Pick<RunOptions, 'idempotencyKey'>

/** Which members of a group or a chain to return. */
export interface MembersQuery {
  /** Only members that have ended so. Without it all members are returned, also those that have not ended. */
  status?: 'succeeded' | 'failed' | 'cancelled'
  /** The `next` of the page before. */
  cursor?: string | null
  /**
   * The most members of a page, from 1 to 100.
   *
   * @defaultValue 50
   */
  limit?: number
}

/** The body of an `HTTPError` of status 400, by the names of the task's fields: `Refusal<Tasks['resize']['errors']>`. */
export interface Refusal<Fields extends string = string> {
  /** Why the inputs were refused. */
  error: {
    /** The kind of error. */
    type: string
    /** The reason, for people. */
    message: string
    /** The fields that were refused, where there are some. An empty `field` stands for the inputs as a whole. */
    fields?: {
      /** The field's dotted path. */
      field: Fields
      /** Why it was refused, for people. */
      message: string
      /** The path by its steps: names, and places in lists from 0. */
      loc: (string | number)[]
      /** The kind of error, as pydantic names it. */
      type: string
    }[]
  }
}

/** The inputs of a task. */
type Inputs<Task> = Task extends { inputs: infer Given } ? Given : object
/** The outputs of a task. */
type Outputs<Task> = Task extends { outputs: infer Given } ? Given : AnyOutputs

/** The inputs of a task, which may be left out where none is required, and how its job is submitted and followed. */
type Given<Task> =
  {} extends Inputs<Task>
    ? [inputs?: Inputs<Task>, options?: RunOptions<Outputs<Task>>]
    : [inputs: Inputs<Task>, options?: RunOptions<Outputs<Task>>]

/** The calls of a client, typed by an interface of tasks. */
export interface API<Tasks> {
  /** The settings of this client. */
  options: Options
  /**
   * Submit a task and follow its job until it ends, as `run` of the package does.
   *
   * @param task the task's name
   * @param given its inputs by name, and how the job is submitted and followed
   */
  run<Name extends keyof Tasks & string>(task: Name, ...given: Given<Tasks[Name]>): Promise<TaskRecord<Outputs<Tasks[Name]>>>
  /** Follow a job that was submitted before, as `watch` of the package does: `client.watch<'resize'>(uuid)`. */
  watch<Name extends keyof Tasks & string>(
    uuid: string,
    options?: RunOptions<Outputs<Tasks[Name]>>,
  ): Promise<TaskRecord<Outputs<Tasks[Name]>>>
  /** Return the record of a job as it is now, as `get` of the package does. */
  get<Name extends keyof Tasks & string>(uuid: string, options?: CallOptions): Promise<TaskRecord<Outputs<Tasks[Name]>>>
  /** Return a page of the caller's own jobs, newest first, as `list` of the package does. */
  list(query?: { limit?: number; cursor?: string | null }, options?: CallOptions): Promise<TasksPage>
  /** Request that a job be cancelled, as `cancel` of the package does. */
  cancel<Name extends keyof Tasks & string>(uuid: string, options?: CallOptions): Promise<TaskRecord<Outputs<Tasks[Name]>>>
  /** Return a page of the members of a group or a chain, as `members` of the package does. */
  members<Name extends keyof Tasks & string>(
    uuid: string,
    query?: MembersQuery,
    options?: CallOptions,
  ): Promise<MembersPage<Outputs<Tasks[Name]>>>
}

/** A client: its calls, and its tasks by their names. A task that has the name of a call is run by `run` alone. */
export type Client<Tasks> = API<Tasks> & {
  readonly [Name in Exclude<keyof Tasks & string, keyof API<Tasks>>]: {
    /** Submit the task and follow its job until it ends, as `run` does. */
    run(...given: Given<Tasks[Name]>): Promise<TaskRecord<Outputs<Tasks[Name]>>>
  }
}
