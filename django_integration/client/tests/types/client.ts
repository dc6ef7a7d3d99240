/** A client typed by tasks: what compiles, and what must not. */
import { createClient, HTTPError, options, run } from '../../src/index.js'
import type { API, Refusal, Token } from '../../src/index.js'
import { useTask, useTaskList } from '../../src/react.js'
import type { Tasks } from './cases.gen.js'

const client = createClient<Tasks>({ token: async () => 'fresh' })
declare const TaskAPI: API<Tasks>

export async function uses(signal: AbortSignal): Promise<void> {
  const record = await client.dictionary.run({ count: 1, numbers: [2], password: 'p' }, { signal })
  const total: number | undefined = record.outputs.total
  const same = await TaskAPI.run<'with-defaults'>('with-defaults', { required: 1 }, { onProgress: ({ outputs }) => outputs.given.toFixed() })
  const given: number = same.outputs.given
  const text = await client.run('case.text', { value: 'a' })
  text.outputs.value.toUpperCase()
  await client.run('1st of all: nothing')
  const later = await TaskAPI.watch<'case.date'>(record.uuid, { token: 'read' })
  const page = await client.members<'case.integer'>(record.uuid, { status: 'failed' })
  const numbers: (number | undefined)[] = [later.outputs.value.length, ...page.members.map(({ outputs }) => outputs.value)]
  const { tasks, next } = await client.list({ limit: 10 })
  const name: string | undefined = tasks[0]?.task
  try {
    await client.dictionary.run({ count: 1, numbers: [], password: '' }, { follow: false, idempotencyKey: 'k' })
  } catch (reason) {
    if (!(reason instanceof HTTPError)) throw reason
    const { fields = [] } = (reason.body as Refusal<Tasks['dictionary']['errors']>).error
    const field: 'count' | undefined = fields.map(({ field }) => field).find((field) => field === 'count')
    void [field, total, given, numbers, next, name]
  }
}

// As in earlier releases, without types of tasks: positions, and outputs by hand.
export const loosely = (): Promise<number> =>
  run<{ sum: number }>('sum', { numbers: [] }, ({ progress }) => progress, null, (reason) => reason, { idempotencyKey: 'k' }).then(
    ({ outputs }) => outputs.sum,
  )
const token: Token = 'text'
options.token = token

export async function mistakes(): Promise<void> {
  // @ts-expect-error there is no such task
  await client.run('case.txt', { value: 'a' })
  // @ts-expect-error nor here
  await client.nothing.run({})
  // @ts-expect-error a wrong name of an input
  await client.dictionary.run({ count: 1, numbers: [2], pasword: 'p' })
  // @ts-expect-error a wrong type
  await client.dictionary.run({ count: 'one', numbers: [2], password: 'p' })
  // @ts-expect-error an input is missing
  await client.run('dictionary', { count: 1 })
  // @ts-expect-error inputs are missing
  await client.run('dictionary')
  // @ts-expect-error another task's inputs
  await TaskAPI.run<'case.text'>('case.text', { value: 1 })
  // @ts-expect-error an input that there is not
  await client.run('1st of all: nothing', { value: 1 })
  const { outputs } = await client.dictionary.run({ count: 1, numbers: [2], password: 'p' })
  // @ts-expect-error an output that there is not
  void outputs.sum
  // @ts-expect-error an output may be missing
  outputs.total.toFixed()
  // @ts-expect-error an option that there is not
  await client.run('case.text', { value: 'a' }, { onprogress: null })
}

// The hooks take a client of one's own, and know the outputs of what is submitted.
export function Component(): string {
  const { record } = useTask(() => client.run('case.text', { value: 'a' }, { follow: false }), { client, token })
  const other = useTask<Tasks['case.integer']['outputs']>('uuid')
  const { tasks } = useTaskList({ limit: 3 }, { client })
  // @ts-expect-error a text has no toFixed
  record?.outputs.value.toFixed()
  return `${record?.outputs.value.toUpperCase()} ${other.record?.outputs.value.toFixed()} ${tasks.length}`
}
