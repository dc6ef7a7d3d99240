const isHidden = (): boolean => typeof document !== 'undefined' && document.hidden

/** Calls `listener` whenever the page is hidden or shown; returns what stops it. Does nothing outside a page. */
export function onVisibility(listener: (hidden: boolean) => void): () => void {
  if (typeof document === 'undefined') return () => {}
  const changed = (): void => listener(isHidden())
  document.addEventListener('visibilitychange', changed)
  return () => document.removeEventListener('visibilitychange', changed)
}

/** Waits `ms` milliseconds, and on while the page is hidden. Showing the page ends the wait at once; so does the signal. */
export const pause = (ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const wake = (): void => {
      if (signal?.aborted) reject(signal.reason)
      else if (isHidden()) return
      clearTimeout(timer)
      forget()
      signal?.removeEventListener('abort', wake)
      resolve()
    }
    const timer = setTimeout(wake, ms)
    const forget = onVisibility(wake)
    signal?.addEventListener('abort', wake)
    if (signal?.aborted) wake()
  })
