import { send, urlOf } from './http.js'
import type { Call } from './http.js'
import { onVisibility, pause } from './page.js'
import { hasEnded } from './record.js'
import type { TaskRecord } from './record.js'

/** A stream silent for so long may be dead (a proxy holds it back): a poll finds out. In milliseconds. */
const SILENCE = 20_000

/** A browser has six connections to a host over HTTP/1.1, for all of its pages. */
const MOST = 2

let open = 0

/** Whether one more stream leaves enough connections to the rest of the page. */
export const mayStream = (): boolean => open < MOST

/**
 * Gives each record that the server streams to `seen`, until the task ends, the stream breaks or falls silent, or the
 * page is hidden.
 *
 * @returns false when the stream broke without a single record: not worth trying again
 */
export async function listen(uuid: string, seen: (record: TaskRecord) => void, how: Call): Promise<boolean> {
  open++
  await pause(0, how.signal).catch(() => {}) // until the page is shown
  const stop = new AbortController()
  const close = (): void => stop.abort()
  if (how.signal?.aborted) close()
  let timer = setTimeout(close, SILENCE)
  let worked = false
  const forget = onVisibility((hidden) => {
    if (!hidden) return
    worked = true
    close()
  })
  how.signal?.addEventListener('abort', close)
  let failed: { error: unknown } | undefined
  try {
    const url = urlOf(how.at.baseURL, uuid, 'events')
    const { ok, body } = await send(url, { signal: stop.signal, headers: {} }, {
      ...how,
      headers: { ...how.headers, Accept: 'text/event-stream' },
    })
    const reader = ok && body?.pipeThrough(new TextDecoderStream()).getReader()
    for (let text = ''; reader && !stop.signal.aborted; ) {
      const { value, done } = await reader.read()
      if (done) break
      clearTimeout(timer)
      timer = setTimeout(close, SILENCE)
      const events = (text + value).split('\n\n')
      text = events.pop() as string
      for (const [, data] of events.map((event) => /^data: (.*)$/m.exec(event) ?? [])) {
        if (!data) continue
        const record = JSON.parse(data) as TaskRecord
        worked = true
        try {
          seen(record)
        } catch (error) {
          failed = { error }
        }
        if (failed || hasEnded(record)) close()
      }
    }
  } catch {
    // Broken, or closed by us: what comes next, a poll or the end, finds out.
  } finally {
    open--
    close()
    clearTimeout(timer)
    forget()
    how.signal?.removeEventListener('abort', close)
  }
  if (failed) throw failed.error
  return worked
}
