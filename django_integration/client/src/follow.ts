import { listen, mayStream } from './events.js'
import { poll } from './http.js'
import type { Answer, Call } from './http.js'
import { pause } from './page.js'
import { hasEnded, isOlder } from './record.js'
import type { TaskRecord } from './record.js'

export type OnProgress = (record: TaskRecord) => void

/**
 * Gives every record it sees to `onProgress`, from `answer` on, and returns the one with which the task ended.
 *
 * @param wait how long to wait before the first poll, in milliseconds
 */
export async function follow(
  answer: Answer,
  wait: number,
  how: Call,
  onProgress?: OnProgress | null,
): Promise<TaskRecord> {
  let { body: record, streams } = answer
  const seen = (next: TaskRecord): void => {
    if (isOlder(next, record)) return
    record = next
    onProgress?.(next)
  }
  seen(record)
  while (!hasEnded(record)) {
    if (streams && mayStream()) {
      streams = await listen(record.uuid, seen, how)
      if (hasEnded(record)) break
      // Another process may answer a poll with what was read up to a second before the stream's last word.
      if (streams) wait = how.at.pollInterval
    }
    await pause(wait, how.signal)
    wait = how.at.pollInterval
    const polled = await poll(record.uuid, how)
    streams &&= polled.streams
    seen(polled.body)
  }
  return record
}
