import { sendsCookiesAbroad, urlOf } from './http.js'
import { onVisibility } from './page.js'
import { hasEnded } from './record.js'
import type { TaskRecord } from './record.js'

/** A stream silent for so long may be dead (a proxy holds it back): a poll finds out. In milliseconds. */
const SILENCE = 20_000

/**
 * Gives each record that the server streams to `seen`, until the task ends, the stream breaks or falls silent, or the
 * page is hidden.
 *
 * @returns false when the stream broke without a single record: not worth trying again
 */
export const listen = (uuid: string, seen: (record: TaskRecord) => void): Promise<boolean> =>
  new Promise((resolve, reject) => {
    const source = new EventSource(urlOf(uuid, 'events'), { withCredentials: sendsCookiesAbroad() })
    let worked = false
    const close = (): void => {
      source.close()
      clearTimeout(timer)
      forget()
      resolve(worked)
    }
    let timer = setTimeout(close, SILENCE)
    const forget = onVisibility((hidden) => {
      if (!hidden) return
      worked = true
      close()
    })
    source.onerror = close
    source.onmessage = ({ data }: MessageEvent<string>) => {
      clearTimeout(timer)
      timer = setTimeout(close, SILENCE)
      try {
        const record = JSON.parse(data) as TaskRecord
        worked = true
        seen(record)
        if (hasEnded(record)) close()
      } catch (error) {
        reject(error)
        close()
      }
    }
  })
