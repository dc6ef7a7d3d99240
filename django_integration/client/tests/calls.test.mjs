/** The options of a call, the calls that follow nothing, tokens, and clients of one's own. */
import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { HTTPError, aRecord, advance, answer, createClient, endWorld, makeWorld, outcomeOf, refusal, settle, tasks, unreachable } from './world.mjs'

const succeeded = aRecord({ status: 'succeeded', outputs: { sum: 3 } })
const pending = answer(aRecord({ status: 'pending' }), { status: 201 })
const streaming = answer(aRecord({ status: 'pending' }), { status: 201, headers: { 'X-Task-Events': '1' } })

afterEach(endWorld)

test('options in the third place say how a task is run', async () => {
  const world = makeWorld([pending, answer(succeeded)])
  const seen = []
  const outcome = outcomeOf(tasks.run('sum', {}, { onProgress: (r) => seen.push(r.status), headers: { 'X-Mine': '1' }, idempotencyKey: 'k' }))
  await settle()
  await advance(0)
  assert.equal(outcome.state, 'resolved')
  assert.deepEqual(seen, ['pending', 'succeeded'])
  assert.deepEqual(world.requests.map((r) => [r.headers['X-Mine'], r.headers['Idempotency-Key']]), [['1', 'k'], ['1', undefined]])
})

test('with follow: false the record is given as it is submitted', async () => {
  const world = makeWorld([pending])
  const record = await tasks.run('sum', {}, { follow: false })
  assert.equal(record.status, 'pending')
  await advance(10_000)
  assert.equal(world.requests.length, 1)
})

test('watch takes options too', async () => {
  makeWorld([answer(succeeded)])
  const seen = []
  await tasks.watch('u-1', { onProgress: (r) => seen.push(r.status) })
  assert.deepEqual(seen, ['succeeded'])
})

test('a signal ends the wait between two polls', async () => {
  const world = makeWorld([pending, answer(aRecord())])
  const stop = new AbortController()
  const outcome = outcomeOf(tasks.run('sum', {}, { signal: stop.signal }))
  await settle()
  await advance(0)
  stop.abort(new Error('left'))
  await advance(10_000)
  assert.deepEqual([outcome.state, outcome.value.message], ['rejected', 'left'])
  assert.equal(world.requests.length, 2)
})

test('a signal ends a stream', async () => {
  const world = makeWorld([streaming])
  const stop = new AbortController()
  const outcome = outcomeOf(tasks.run('sum', {}, { signal: stop.signal }))
  await settle()
  await advance(0)
  assert.equal(world.streams.length, 1)
  stop.abort()
  await advance(10_000)
  assert.deepEqual([outcome.state, outcome.value.name], ['rejected', 'AbortError'])
  assert.ok(world.streams[0].closed)
  assert.equal(world.requests.length, 1)
})

test('a signal that is over keeps a request from being tried again', async () => {
  const world = makeWorld([unreachable()])
  const stop = new AbortController()
  const outcome = outcomeOf(tasks.get('u-1', { signal: stop.signal }))
  await settle()
  stop.abort(new Error('left'))
  await advance(60_000)
  assert.deepEqual([outcome.state, outcome.value.message, world.requests.length], ['rejected', 'left', 1])
})

test('get and list give what they ask for', async () => {
  const world = makeWorld([answer(succeeded), answer({ tasks: [succeeded], next: null })])
  assert.deepEqual(await tasks.get('u 1'), succeeded)
  assert.deepEqual(await tasks.list({ limit: 5, cursor: null }), { tasks: [succeeded], next: null })
  assert.deepEqual(world.requests.map((r) => r.url), ['/tasks/u%201/', '/tasks/?limit=5'])
})

test('what is only read is tried three times more, unless it is refused', async () => {
  const world = makeWorld([unreachable()])
  const outcome = outcomeOf(tasks.list())
  for (const wait of [0, 1000, 2000, 4000]) await advance(wait)
  assert.equal(outcome.state, 'rejected')
  assert.equal(world.requests.length, 4)
  endWorld()
  const refused = makeWorld([refusal(403)])
  await assert.rejects(tasks.get('u-1'), (error) => error instanceof HTTPError && error.status === 403)
  assert.equal(refused.requests.length, 1)
})

test('a submission is tried again only with a key, which makes no second job', async () => {
  const world = makeWorld([unreachable(), answer(succeeded)])
  const outcome = outcomeOf(tasks.run('sum', {}, { idempotencyKey: 'k' }))
  await settle()
  await advance(1000)
  assert.equal(outcome.state, 'resolved')
  assert.deepEqual(world.requests.map((r) => r.headers['Idempotency-Key']), ['k', 'k'])
  endWorld()
  const once = makeWorld([unreachable(), answer(succeeded)])
  await assert.rejects(tasks.run('sum', {}))
  assert.equal(once.requests.length, 1)
})

test('a token stands in place of cookies, in no URL', async () => {
  const world = makeWorld([pending, answer(succeeded)])
  outcomeOf(tasks.run('sum', {}, { token: 'secret' }))
  await settle()
  await advance(0)
  for (const { url, headers, credentials, mode } of world.requests) {
    assert.deepEqual([headers.Authorization, credentials, mode], ['Bearer secret', 'omit', 'cors'])
    assert.ok(!('X-CSRFToken' in headers))
    assert.ok(!url.includes('secret'))
  }
  assert.equal(world.requests.length, 2)
})

test('a function that gives tokens is asked once, and again when one has expired', async () => {
  let given = 0
  const token = async () => `t${++given}`
  const world = makeWorld([answer(aRecord()), refusal(401), answer(aRecord()), answer(succeeded)])
  const outcome = outcomeOf(tasks.watch('u-1', { token }))
  await settle()
  await advance(1000)
  await advance(1000)
  assert.equal(outcome.state, 'resolved')
  assert.deepEqual(world.requests.map((r) => r.headers.Authorization), ['Bearer t1', 'Bearer t1', 'Bearer t2', 'Bearer t2'])
})

test('a fresh token that is refused as well ends it', async () => {
  const world = makeWorld([refusal(401)])
  await assert.rejects(tasks.get('u-1', { token: () => 'bad' }), (error) => error.status === 401)
  assert.equal(world.requests.length, 2)
})

test('a token that expires in mid stream is renewed when the stream is opened again', async () => {
  let given = 0
  const world = makeWorld([streaming, answer(aRecord(), { headers: { 'X-Task-Events': '1' } })])
  world.refusals = [undefined, { status: 401 }]
  const outcome = outcomeOf(tasks.run('sum', {}, { token: () => `t${++given}` }))
  await settle()
  await advance(0)
  await world.streams[0].say(aRecord({ progress: 1 }))
  await world.streams[0].fail()
  await advance(1000)
  await advance(0)
  assert.deepEqual(world.streams.map((s) => s.init.headers.Authorization), ['Bearer t1', 'Bearer t1', 'Bearer t2'])
  await world.streams[2].say(succeeded)
  assert.equal(outcome.state, 'resolved')
})

test('no more than two streams are open at a time; the others are polled until one is free', async () => {
  const world = makeWorld([streaming])
  const outcomes = [1, 2, 3].map(() => outcomeOf(tasks.run('sum')))
  await settle()
  await advance(0)
  assert.equal(world.streams.length, 2)
  assert.equal(world.requests.length, 4)
  for (const stream of world.streams) await stream.say(succeeded)
  assert.deepEqual(outcomes.map(({ state }) => state), ['resolved', 'resolved', 'pending'])
  await advance(1000)
  await advance(0)
  assert.equal(world.streams.length, 3)
  await world.streams[2].say(succeeded)
  assert.equal(outcomes[2].state, 'resolved')
})

test('a stream that only says that it is alive is kept', async () => {
  const world = makeWorld([streaming])
  outcomeOf(tasks.run('sum'))
  await settle()
  await advance(0)
  for (let times = 0; times < 4; times++) {
    await advance(15_000)
    await world.streams[0].write(': nothing new\n\n')
  }
  assert.equal(world.streams[0].closed, false)
  await world.streams[0].say(succeeded)
})

test('an event that comes in pieces is put together', async () => {
  const world = makeWorld([streaming])
  const outcome = outcomeOf(tasks.run('sum'))
  await settle()
  await advance(0)
  const text = `id: 1\ndata: ${JSON.stringify(aRecord({ status: 'succeeded', outputs: { name: 'grün' } }))}\n\n`
  await world.streams[0].write(text.slice(0, 40))
  await world.streams[0].write(text.slice(40))
  assert.equal(outcome.value?.outputs.name, 'grün')
})

test('a client of its own follows the options, but for its settings', async () => {
  const world = makeWorld([answer(succeeded)])
  const client = createClient({ baseURL: 'https://api.example/jobs', token: 'own', headers: { 'X-Tenant': 'a' } })
  await client.sum.run({ numbers: [1] })
  await client.run('reports.monthly')
  await client.get('u-1')
  assert.deepEqual(world.requests.map((r) => r.url), ['https://api.example/jobs/', 'https://api.example/jobs/', 'https://api.example/jobs/u-1/'])
  assert.deepEqual(JSON.parse(world.requests[0].body), { task: 'sum', inputs: { numbers: [1] } })
  assert.ok(world.requests.every((r) => r.headers.Authorization === 'Bearer own' && r.headers['X-Tenant'] === 'a'))
  assert.equal(client.options.pollInterval, tasks.options.pollInterval)
  assert.equal(tasks.options.baseURL, '/tasks/')
  assert.equal(await client, client, 'a client is no promise')
})

test('a status URL answers polls with a token, and nothing else', async () => {
  const world = makeWorld([pending, answer(succeeded), answer(succeeded)])
  const client = createClient({ statusURL: 'https://status.example', token: 'own' })
  outcomeOf(client.run('sum'))
  await settle()
  await advance(0)
  await client.cancel('u-1')
  assert.deepEqual(world.requests.map((r) => r.url), ['/tasks/', 'https://status.example/u-1/', '/tasks/u-1/cancel/'])
})
