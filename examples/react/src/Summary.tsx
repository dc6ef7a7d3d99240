import { HTTPError } from 'serverless-tasks-client'
import type { Refusal } from 'serverless-tasks-client'
import { useTask } from 'serverless-tasks-client/react'
import type { Start } from 'serverless-tasks-client/react'
import type { Tasks } from './tasks.gen'

type Summarise = Tasks['summarise-columns']

/** A job of `summarise-columns`: its progress, then its columns or what went wrong. */
export function Summary({ start, turn }: { start: Start<Summarise['outputs']>; turn: number }) {
  const { record, error, isPending, cancel } = useTask(start, { again: turn })
  if (start == null) return null
  if (error) return <p role="alert">{reason(error)}</p>
  if (isPending) {
    return (
      <section aria-label="Progress">
        <progress max={record?.target ?? 1} value={record?.progress ?? 0} aria-label="Progress of the summary" />
        <p role="status">{record?.messages.at(-1) ?? 'It waits for a worker.'}</p>
        <button type="button" onClick={() => void cancel()} disabled={!record || record.cancel_requested}>
          Cancel
        </button>
      </section>
    )
  }
  if (record?.status !== 'succeeded') {
    return <p role="alert">{record?.error?.message ?? 'It was cancelled.'}</p>
  }
  const columns = (record.outputs.columns ?? []) as { name: string; kind: string; empty: number }[]
  return (
    <section>
      <p role="status">{record.outputs.rows} rows were read.</p>
      <table>
        <thead>
          <tr>
            <th scope="col">Column</th>
            <th scope="col">Kind</th>
            <th scope="col">Empty</th>
          </tr>
        </thead>
        <tbody>
          {columns.map(({ name, kind, empty }) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>{kind}</td>
              <td>{empty}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  )
}

/** The words of a refusal, the fields that it names before the rest. */
function reason(error: Error): string {
  if (!(error instanceof HTTPError)) return 'The server could not be reached.'
  const { message, fields = [] } = (error.body as Refusal<Summarise['errors']>).error ?? { message: error.message }
  return fields.map(({ field, message }) => `${field}: ${message}`).join(' ') || message
}
