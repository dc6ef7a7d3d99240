// The page's texts and its language, for the scripts of the pages.
const Page = (() => {
  'use strict'

  const texts = document.getElementById('texts').content

  /** A text of the page's template, with values in place of the names in braces. */
  const text = (name, values = {}) =>
    texts.querySelector(`[data-text="${name}"]`).textContent.replace(/\{(\w+)\}/g, (whole, key) => values[key] ?? whole)

  // Where the reader has asked for a variety of the page's language, its dates and numbers are theirs.
  function locale() {
    const { lang } = document.documentElement
    const base = (tag) => tag.toLowerCase().split('-')[0]
    const wanted = navigator.languages.find((tag) => base(tag) === base(lang)) ?? lang
    try {
      return new Intl.Locale(wanted, { numberingSystem: 'latn' }) // the digits that Django writes
    } catch {
      return undefined // a language of the site's own, with a name that browsers refuse
    }
  }
  const language = locale()

  const numbers = new Intl.NumberFormat(language)
  const tenths = new Intl.NumberFormat(language, { minimumFractionDigits: 1, maximumFractionDigits: 1 })
  const moments = new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'long' })

  /** A length of time in its two largest units, as admin/rows.py. */
  function duration(milliseconds) {
    const seconds = Math.max(0, milliseconds) / 1000
    if (seconds < 10) return text('seconds', { seconds: tenths.format(seconds) })
    if (seconds < 60) return text('seconds', { seconds: Math.floor(seconds) })
    const minutes = Math.floor(seconds / 60)
    if (minutes < 60) return text('minutes', { minutes, seconds: Math.floor(seconds % 60) })
    const hours = Math.floor(minutes / 60)
    if (hours < 48) return text('hours', { hours, minutes: minutes % 60 })
    return text('days', { days: numbers.format(Math.floor(hours / 24)), hours: hours % 24 })
  }

  return {
    text,
    number: (value) => numbers.format(value),
    percent: (value) => text('percent', { percent: value }),
    moment: (value) => moments.format(new Date(value)),
    duration,
  }
})()
