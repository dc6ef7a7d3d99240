import { listen } from './events.js'
import { get, HTTPError, urlOf } from './http.js'
import type { Answer } from './http.js'
import { options } from './options.js'
import { pause } from './page.js'
import { hasEnded, isOlder } from './record.js'
import type { TaskRecord } from './record.js'

/** How often a poll is tried again before its error is final: with a poll interval of 1 s, some two minutes. */
const RETRIES = 8

/** The longest wait between two tries, in milliseconds. */
const LONGEST_BACKOFF = 30_000

export type OnProgress = (record: TaskRecord) => void

/**
 * Gives every record it sees to `onProgress`, from `answer` on, and returns the one with which the task ended.
 *
 * @param wait how long to wait before the first poll, in milliseconds
 */
export async function follow(answer: Answer, wait: number, onProgress?: OnProgress | null): Promise<TaskRecord> {
  let { body: record, streams } = answer
  const seen = (next: TaskRecord): void => {
    if (isOlder(next, record)) return
    record = next
    onProgress?.(next)
  }
  seen(record)
  while (!hasEnded(record)) {
    if (streams && typeof EventSource !== 'undefined') {
      await pause(0)
      streams = await listen(record.uuid, seen)
      if (hasEnded(record)) break
      // Another process may answer a poll with what was read up to a second before the stream's last word.
      if (streams) wait = options.pollInterval
    }
    await pause(wait)
    wait = options.pollInterval
    const polled = await poll(record.uuid)
    streams &&= polled.streams
    seen(polled.body)
  }
  return record
}

/** Asks for the record once; failures that may pass are tried again with exponential backoff and jitter. */
export async function poll(uuid: string): Promise<Answer> {
  for (let failures = 0; ; failures++) {
    try {
      return await get(urlOf(uuid))
    } catch (error) {
      if (failures === RETRIES || !mayPass(error)) throw error
      const backoff = Math.min(options.pollInterval * 2 ** failures, LONGEST_BACKOFF)
      const asked = error instanceof HTTPError ? Math.min(error.retryAfter, LONGEST_BACKOFF) : 0
      await pause(Math.max(backoff * (0.5 + Math.random() / 2), asked))
    }
  }
}

/** Without an answer (network, timeout), with 429 or with 5xx the next try may go well. */
const mayPass = (error: unknown): boolean =>
  !(error instanceof HTTPError) || error.status === 429 || error.status >= 500
