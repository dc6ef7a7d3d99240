// The two forms of the example's page: how each reads its inputs, draws its result, and makes a sample.
'use strict'
{
  const MB = 1_000_000
  const number = new Intl.NumberFormat('en', { maximumSignificantDigits: 6 })
  const megabytes = (bytes) => `${(bytes / MB).toFixed(1)} MB`
  const kilobytes = (bytes) => `${(bytes / 1000).toFixed(1)} kB`
  const size = (bytes) => (bytes < MB / 10 ? kilobytes(bytes) : megabytes(bytes))
  const section = (task) => document.querySelector(`[data-task="${task}"]`)

  function wrong(field, message) {
    return Object.assign(new Error(message), { field })
  }

  function chosen(input, limit) {
    const [file] = input.files
    if (!file) throw wrong(input.name, 'Choose a file first, or make a sample.')
    if (file.size > limit) throw wrong(input.name, `The file has ${megabytes(file.size)}; the most is ${megabytes(limit)}.`)
    return file
  }

  function choose(input, file) {
    const transfer = new DataTransfer()
    transfer.items.add(file)
    input.files = transfer.files
    input.removeAttribute('aria-invalid')
  }

  function base64(file) {
    return new Promise((resolve, reject) => {
      const reader = new FileReader()
      reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(',') + 1))
      reader.onerror = () => reject(wrong('image', `The file cannot be read: ${reader.error.message}`))
      reader.readAsDataURL(file)
    })
  }

  // ---- the columns of a CSV file

  async function readColumns({ elements }) {
    const text = await chosen(elements.text, 16 * MB).text()
    const delimiter = elements.delimiter.value
    return delimiter ? { text, delimiter } : { text }
  }

  function rangeOf(column) {
    if (column.kind === 'number') {
      return `${number.format(column.minimum)} to ${number.format(column.maximum)}, mean ${number.format(column.mean)}`
    }
    if (column.kind === 'date') return `${column.first} to ${column.last}`
    return column.kind === 'text' ? `most often “${column.most_common}”` : ''
  }

  // The roles say again what the elements are: a narrow page draws them as blocks, which makes some browsers forget.
  function cell(role, textContent, className = '', label = null) {
    const made = element(role === 'cell' ? 'td' : 'th', { textContent, className, role })
    if (role !== 'cell') made.scope = role === 'rowheader' ? 'row' : 'col'
    if (label !== null) made.dataset.label = label
    return made
  }

  const row = (...cells) => element('tr', { role: 'row' }, ...cells)

  function columnRow(column) {
    const distinct = `${number.format(column.distinct)}${column.distinct_is_least ? '+' : ''}`
    return row(
      cell('rowheader', column.name),
      cell('cell', column.kind),
      cell('cell', rangeOf(column), column.kind === 'text' ? '' : 'range'),
      cell('cell', distinct, 'figure', 'distinct'),
      cell('cell', number.format(column.empty), 'figure', 'empty'),
    )
  }

  function drawColumns({ rows, columns }, place) {
    const head = ['Column', 'Kind', 'Values', 'Distinct', 'Empty']
    const table = element(
      'table',
      { role: 'table' },
      element('caption', { textContent: `${rows.toLocaleString('en')} rows, ${columns.length} columns` }),
      element('thead', { role: 'rowgroup' }, row(...head.map((name, at) => cell('columnheader', name, at > 2 ? 'figure' : '')))),
      element('tbody', { role: 'rowgroup' }, ...columns.map(columnRow)),
    )
    const frame = element('div', { className: 'table', tabIndex: 0, role: 'region' }, table)
    frame.setAttribute('aria-label', 'Summary of the columns')
    place.append(frame)
  }

  /** Weather of invented stations, large enough that its progress can be seen. */
  function sampleColumns() {
    const stations = ['Alder Point', 'Birchwood', 'Cedar Falls', 'Dunmore', 'Elm Harbour']
    const lines = ['station,measured,temperature,humidity,remark']
    const day = 86_500_000
    for (let row = 0; row < 500_000; row++) {
      const date = new Date(Date.UTC(2024, 0, 1) + (row % 731) * day).toISOString().slice(0, 10)
      const temperature = (12 + 11 * Math.sin(row / 58) + 3 * Math.sin(row / 7)).toFixed(2)
      const humidity = row % 97 ? Math.round(60 + 25 * Math.cos(row / 41)) : ''
      lines.push(`${stations[row % 5]},${date},${temperature},${humidity},${row % 211 ? '' : 'sensor replaced'}`)
    }
    return new File([lines.join('\n')], 'weather.csv', { type: 'text/csv' })
  }

  // ---- a thumbnail

  async function readThumbnail({ elements }) {
    const image = await base64(chosen(elements.image, 6 * MB))
    const { width, height, format } = elements
    return { image, width: width.valueAsNumber, height: height.valueAsNumber, format: format.value }
  }

  function drawThumbnail(thumbnail, place) {
    const picture = element('img', {
      src: `data:${thumbnail.media_type};base64,${thumbnail.image}`,
      width: thumbnail.width,
      height: thumbnail.height,
      alt: 'The thumbnail',
    })
    const before = `${thumbnail.original_width} × ${thumbnail.original_height}, ${kilobytes(thumbnail.original_size)}`
    const after = `${thumbnail.width} × ${thumbnail.height}, ${kilobytes(thumbnail.size)}`
    place.append(element('figure', {}, picture, element('figcaption', {}, `Was ${before}`, element('br'), `Now ${after}`)))
  }

  /** Hills under an evening sky, drawn here. */
  function sampleThumbnail() {
    const canvas = element('canvas', { width: 1600, height: 1000 })
    const pen = canvas.getContext('2d')
    const sky = pen.createLinearGradient(0, 0, 0, 1000)
    for (const [at, colour] of [[0, '#22355c'], [0.55, '#c4627a'], [0.8, '#f3b67c']]) sky.addColorStop(at, colour)
    pen.fillStyle = sky
    pen.fillRect(0, 0, 1600, 1000)
    pen.fillStyle = '#ffe9c4'
    pen.beginPath()
    pen.arc(1130, 560, 90, 0, 2 * Math.PI)
    pen.fill()
    for (const [height, wave, colour] of [[620, 310, '#6d4a6b'], [720, 230, '#463a5c'], [830, 170, '#262842']]) {
      pen.fillStyle = colour
      pen.beginPath()
      pen.moveTo(0, 1000)
      for (let x = 0; x <= 1600; x += 10) pen.lineTo(x, height + 55 * Math.sin(x / wave) + 20 * Math.sin(x / 61))
      pen.lineTo(1600, 1000)
      pen.fill()
    }
    // Not toBlob(): it waits for the browser to be idle, and a busy one lets it wait for seconds.
    const png = atob(canvas.toDataURL('image/png').split(',')[1])
    return new File([Uint8Array.from(png, (byte) => byte.charCodeAt(0))], 'evening.png', { type: 'image/png' })
  }

  // ---- both

  TaskAPI.options.pollInterval = 500
  const forms = [
    ['summarise-columns', { read: readColumns, draw: drawColumns, unit: size }, 'text', sampleColumns],
    ['make-thumbnail', { read: readThumbnail, draw: drawThumbnail, unit: String }, 'image', sampleThumbnail],
  ]
  for (const [task, how, input, sample] of forms) {
    const panel = new Panel(section(task), how)
    panel.form.querySelector('[data-action="sample"]').addEventListener('click', () => {
      choose(panel.form.elements[input], sample())
    })
    panel.resume()
  }
}
