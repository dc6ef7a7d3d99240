// Chooses all jobs of a page at once, and counts the chosen ones. Without it they are chosen one by one.
(() => {
  'use strict'

  const toggle = document.getElementById('action-toggle')
  const counter = document.querySelector('[data-selected]')
  const across = document.querySelector('[name="select_across"]')
  if (!toggle || !counter || !across) return
  const boxes = [...document.querySelectorAll('.action-select')]

  function count() {
    const chosen = boxes.filter((box) => box.checked).length
    toggle.checked = chosen === boxes.length
    toggle.indeterminate = chosen > 0 && chosen < boxes.length
    counter.textContent = counter.dataset.selected.replace('{selected}', String(chosen))
    counter.hidden = across.checked
  }

  const choose = (all) => {
    for (const box of boxes) box.checked = all
    count()
  }
  toggle.hidden = false
  toggle.addEventListener('change', () => choose(toggle.checked))
  across.addEventListener('change', () => choose(across.checked))
  for (const box of boxes) {
    box.addEventListener('change', () => {
      if (!box.checked) across.checked = false
      count()
    })
  }
  window.addEventListener('pageshow', count)
})()
