import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { aRecord, advance, answer, endWorld, makeWorld, outcomeOf, settle, tasks } from './world.mjs'

const offered = { headers: { 'X-Task-Events': '1' } }
const succeeded = aRecord({ status: 'succeeded' })

afterEach(endWorld)

async function streaming(...later) {
  const world = makeWorld([answer(aRecord({ status: 'pending' }), { ...offered, status: 201 }), ...later])
  world.progress = []
  world.outcome = outcomeOf(tasks.run('sum', {}, (record) => world.progress.push(record.progress)))
  await settle()
  await advance(0)
  return world
}

test('a stream is used when the server offers one, instead of polling', async () => {
  const { streams: [stream], outcome, progress, requests } = await streaming()
  assert.equal(stream.url, '/tasks/u-1/events/')
  assert.equal(stream.init.credentials, 'same-origin')
  assert.equal(stream.init.headers.Accept, 'text/event-stream')
  await stream.say(aRecord({ progress: 1 }))
  await stream.say(aRecord({ progress: 2 }))
  await advance(5000)
  await stream.say(succeeded)
  assert.equal(outcome.state, 'resolved')
  assert.deepEqual(progress, [0, 1, 2, 0])
  assert.ok(stream.closed)
  assert.equal(requests.length, 1)
})

test('no stream is opened when the server offers none', async () => {
  const world = makeWorld([answer(aRecord(), { status: 201 }), answer(succeeded)])
  const outcome = outcomeOf(tasks.run('sum', {}))
  await settle()
  await advance(0)
  assert.equal(outcome.state, 'resolved')
  assert.equal(world.streams.length, 0)
})

test('a stream that never works is left for polling', async () => {
  const { streams, outcome, requests } = await streaming(answer(aRecord(), offered), answer(succeeded, offered))
  await streams[0].fail()
  await advance(0)
  await advance(1000)
  assert.equal(outcome.state, 'resolved')
  assert.equal(streams.length, 1)
  assert.equal(requests.length, 3)
})

test('a stream that breaks later is opened again after a poll', async () => {
  const { streams, outcome, progress, requests } = await streaming(answer(aRecord({ progress: 2 }), offered))
  await streams[0].say(aRecord({ progress: 1 }))
  await streams[0].fail()
  await advance(999)
  assert.equal(requests.length, 1, 'another process may still tell what was before the last event')
  await advance(1)
  await advance(0)
  assert.equal(streams.length, 2)
  await streams[1].say(succeeded)
  assert.equal(outcome.state, 'resolved')
  assert.deepEqual(progress, [0, 1, 2, 0])
})

test('a silent stream is doubted after 20 seconds', async () => {
  const { streams, outcome } = await streaming(answer(succeeded, offered))
  await advance(19_999)
  assert.equal(streams[0].closed, false)
  await advance(1)
  await advance(0)
  assert.ok(streams[0].closed)
  assert.equal(outcome.state, 'resolved')
})

test('a hidden page closes its stream and catches up when it is shown', async () => {
  const { streams, outcome, page, requests } = await streaming(answer(aRecord(), offered))
  await page.show(false)
  assert.ok(streams[0].closed)
  await advance(3_600_000)
  assert.equal(requests.length, 1)
  await page.show(true)
  assert.equal(requests.length, 2)
  await advance(0)
  await streams[1].say(succeeded)
  assert.equal(outcome.state, 'resolved')
})

test('an error in the progress callback closes the stream and rejects', async () => {
  const world = makeWorld([answer(aRecord(), offered)])
  const outcome = outcomeOf(tasks.run('sum', {}, ({ progress }) => { if (progress) throw new RangeError('mine') }))
  await settle()
  await advance(0)
  await world.streams[0].say(aRecord({ progress: 1 }))
  assert.deepEqual([outcome.state, outcome.value.message], ['rejected', 'mine'])
  assert.ok(world.streams[0].closed)
})

test('a server that offers no stream any more is polled', async () => {
  const { streams, outcome, requests } = await streaming(answer(aRecord()), answer(succeeded))
  await streams[0].say(aRecord({ progress: 1 }))
  await streams[0].fail()
  await advance(1000)
  await advance(1000)
  assert.equal(outcome.state, 'resolved')
  assert.equal(streams.length, 1)
  assert.equal(requests.length, 3)
})
