import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { HTTPError, aRecord, advance, answer, endWorld, makeWorld, outcomeOf, refusal, settle, tasks, unreachable } from './world.mjs'

const defaults = { ...tasks.options }
const succeeded = aRecord({ status: 'succeeded', outputs: { sum: 3 } })
const created = answer(aRecord({ status: 'pending' }), { status: 201 })

afterEach(() => {
  endWorld()
  Object.assign(tasks.options, defaults)
})

test('the options have the documented defaults', () => {
  assert.deepEqual(defaults, {
    baseURL: '/tasks/',
    csrfCookieName: 'csrftoken',
    csrfHeaderName: 'X-CSRFToken',
    corsMode: 'same-origin',
    pollInterval: 1000,
  })
})

test('run submits the task with the CSRF token and polls until it has succeeded', async () => {
  const world = makeWorld([created, answer(aRecord({ progress: 1 })), answer(aRecord({ progress: 2 })), answer(succeeded)])
  const progress = []
  const successes = []
  const outcome = outcomeOf(tasks.run('sum', { numbers: [1, 2] }, (r) => progress.push(r), (r) => successes.push(r)))
  await settle()
  await advance(0)
  await advance(1000)
  await advance(1000)

  assert.deepEqual(outcome, { state: 'resolved', value: succeeded })
  assert.deepEqual(progress.map((r) => [r.status, r.progress]), [['pending', 0], ['running', 1], ['running', 2], ['succeeded', 0]])
  assert.deepEqual(successes, [succeeded])
  const [post, ...polls] = world.requests
  assert.equal(post.method, 'POST')
  assert.equal(post.url, '/tasks/')
  assert.deepEqual(JSON.parse(post.body), { task: 'sum', inputs: { numbers: [1, 2] } })
  assert.equal(post.headers['X-CSRFToken'], 's3cret')
  assert.equal(post.credentials, 'same-origin')
  assert.deepEqual(polls.map((p) => [p.method, p.url, p.cache]), Array(3).fill(['GET', '/tasks/u-1/', 'no-cache']))
})

test('a key is sent with the task, and the task that is given back is followed', async () => {
  const world = makeWorld([answer(aRecord({ progress: 1 })), answer(succeeded)])
  const outcome = outcomeOf(tasks.run('sum', {}, null, null, null, { idempotencyKey: 'k-1' }))
  await settle()
  await advance(0)
  assert.deepEqual(outcome, { state: 'resolved', value: succeeded })
  assert.deepEqual(world.requests.map((r) => r.headers['Idempotency-Key']), ['k-1', undefined])
})

test('without a key there is no header for one', async () => {
  const world = makeWorld([answer(succeeded, { status: 201 })])
  outcomeOf(tasks.run('sum'))
  await settle()
  assert.ok(!('Idempotency-Key' in world.requests[0].headers))
})

test('a task that is ended when it is created is not polled', async () => {
  const world = makeWorld([answer(succeeded, { status: 201 })])
  const outcome = outcomeOf(tasks.run('sum'))
  await settle()
  assert.equal(outcome.state, 'resolved')
  assert.equal(world.requests.length, 1)
})

for (const status of ['failed', 'cancelled']) {
  test(`a ${status} task rejects with its record and calls the error callback`, async () => {
    const record = aRecord({ status, error: { type: 'ValueError', message: 'no' } })
    makeWorld([created, answer(record)])
    const errors = []
    const outcome = outcomeOf(tasks.run('sum', {}, null, () => assert.fail('not a success'), (e) => errors.push(e)))
    await settle()
    await advance(0)
    assert.deepEqual(outcome, { state: 'rejected', value: record })
    assert.deepEqual(errors, [record])
  })
}

test('a refused submission rejects with its status and parsed answer, and is not tried again', async () => {
  const world = makeWorld([refusal(400, { error: { message: 'numbers is required', fields: ['numbers'] } })])
  const outcome = outcomeOf(tasks.run('sum', {}))
  await settle()
  await advance(60_000)
  assert.equal(outcome.state, 'rejected')
  assert.ok(outcome.value instanceof HTTPError && outcome.value instanceof Error)
  assert.equal(outcome.value.status, 400)
  assert.deepEqual(outcome.value.body, { error: { message: 'numbers is required', fields: ['numbers'] } })
  assert.equal(outcome.value.message, '/tasks/ answered 400: numbers is required')
  assert.equal(world.requests.length, 1)
})

test('an uncertain submission (503) rejects with the uuid to watch', async () => {
  makeWorld([refusal(503, { error: { uuid: 'u-1' } })])
  const outcome = outcomeOf(tasks.run('sum', {}))
  await settle()
  assert.deepEqual([outcome.value.status, outcome.value.body.error.uuid], [503, 'u-1'])
})

test('an answer that is not JSON rejects with its text', async () => {
  makeWorld([{ status: 200, headers: {}, body: '<h1>Log in</h1>' }])
  const outcome = outcomeOf(tasks.run('sum', {}))
  await settle()
  assert.equal(outcome.state, 'rejected')
  assert.equal(outcome.value.body, '<h1>Log in</h1>')
  assert.equal(outcome.value.message, '/tasks/ answered 200: not a record')
})

test('failed polls are tried again, ever later, and the task still succeeds', async () => {
  const failures = [unreachable(), refusal(503), refusal(429), refusal(500)]
  const world = makeWorld([created, ...failures, answer(succeeded)])
  const outcome = outcomeOf(tasks.run('sum', {}))
  await settle()
  await advance(0)
  for (const wait of [1000, 2000, 4000, 8000]) {
    const before = world.requests.length
    await advance(wait - 1)
    assert.equal(world.requests.length, before, `nothing before ${wait} ms`)
    await advance(1)
    assert.equal(world.requests.length, before + 1)
  }
  assert.equal(outcome.state, 'resolved')
})

test('waits before a retry vary down to half', async (t) => {
  const world = makeWorld([created, refusal(503), answer(succeeded)])
  t.mock.method(Math, 'random', () => 0)
  const outcome = outcomeOf(tasks.run('sum', {}))
  await settle()
  await advance(0)
  await advance(499)
  assert.equal(world.requests.length, 2)
  await advance(1)
  assert.equal(outcome.state, 'resolved')
})

test('the wait that the server asks for is kept', async () => {
  const world = makeWorld([created, refusal(429, {}, { 'Retry-After': '7' }), answer(succeeded)])
  const outcome = outcomeOf(tasks.run('sum', {}))
  await settle()
  await advance(0)
  await advance(6999)
  assert.equal(world.requests.length, 2)
  await advance(1)
  assert.equal(outcome.state, 'resolved')
})

test('polls that keep failing reject in the end', async () => {
  const world = makeWorld([created, refusal(503)])
  const outcome = outcomeOf(tasks.run('sum', {}))
  await settle()
  await advance(0)
  for (let i = 0; i < 8; i++) {
    assert.equal(outcome.state, 'pending')
    await advance(30_000)
  }
  assert.equal(outcome.state, 'rejected')
  assert.equal(outcome.value.status, 503)
  assert.equal(world.requests.length, 1 + 9)
})

for (const status of [403, 404]) {
  test(`a poll answered ${status} rejects at once`, async () => {
    makeWorld([created, refusal(status)])
    const outcome = outcomeOf(tasks.run('sum', {}))
    await settle()
    await advance(0)
    assert.deepEqual([outcome.state, outcome.value.status], ['rejected', status])
  })
}

test('a hidden page is not polled, and catches up at once when it is shown', async () => {
  const world = makeWorld([created, answer(aRecord()), answer(succeeded)])
  const outcome = outcomeOf(tasks.run('sum', {}))
  await settle()
  await advance(0)
  await world.page.show(false)
  await advance(3_600_000)
  assert.equal(world.requests.length, 2)
  await world.page.show(true)
  assert.equal(world.requests.length, 3)
  assert.equal(outcome.state, 'resolved')
})

test('watch picks a task up by its uuid', async () => {
  const world = makeWorld([answer(aRecord({ progress: 5 })), answer(succeeded)])
  const progress = []
  const outcome = outcomeOf(tasks.watch('u-1', (r) => progress.push(r.progress)))
  await settle()
  assert.deepEqual(progress, [5])
  await advance(999)
  assert.equal(world.requests.length, 1)
  await advance(1)
  assert.equal(outcome.state, 'resolved')
  assert.ok(world.requests.every(({ method }) => method === 'GET'))
})

test('cancel posts to the task and gives its record', async () => {
  const world = makeWorld([answer(aRecord({ cancel_requested: true }))])
  assert.equal((await tasks.cancel('u-1')).cancel_requested, true)
  const [request] = world.requests
  assert.deepEqual([request.method, request.url, request.headers['X-CSRFToken']], ['POST', '/tasks/u-1/cancel/', 's3cret'])
})

test('cancelling an ended task rejects with 409', async () => {
  makeWorld([refusal(409)])
  await assert.rejects(tasks.cancel('u-1'), { name: 'HTTPError', status: 409 })
})

test('options are read at each call', async () => {
  const world = makeWorld([answer(succeeded)])
  Object.assign(tasks.options, {
    baseURL: 'https://api.example/jobs',
    csrfCookieName: 'other',
    csrfHeaderName: 'X-Token',
    corsMode: 'cors',
  })
  await tasks.run('sum', {})
  await tasks.watch('../u')
  const [post, get] = world.requests
  assert.deepEqual([post.url, get.url], ['https://api.example/jobs/', 'https://api.example/jobs/..%2Fu/'])
  assert.deepEqual([post.headers['X-Token'], post.mode, post.credentials], ['1', 'cors', 'include'])
})

test('without the cookie no CSRF header is sent', async () => {
  const world = makeWorld([answer(succeeded)])
  world.page.cookie = ''
  await tasks.run('sum', {})
  assert.ok(!('X-CSRFToken' in world.requests[0].headers))
})

test('an error in the progress callback rejects and ends the polling', async () => {
  const world = makeWorld([created])
  const outcome = outcomeOf(tasks.run('sum', {}, () => { throw new RangeError('mine') }))
  await settle()
  await advance(60_000)
  assert.deepEqual([outcome.state, outcome.value.message], ['rejected', 'mine'])
  assert.equal(world.requests.length, 1)
})

test('outside a page it works without document', async () => {
  makeWorld([answer(aRecord()), answer(succeeded)])
  delete globalThis.document
  const outcome = outcomeOf(tasks.watch('u-1'))
  await settle()
  await advance(1000)
  assert.equal(outcome.state, 'resolved')
})

test('a record that is certainly older than one that was seen is passed over', async () => {
  const started = '2026-01-01T00:00:01Z'
  const told = [
    aRecord({ started, progress: 1, messages: ['a', 'b'] }),
    aRecord({ status: 'pending', attempt: 0, progress: 8 }),
    aRecord({ started, progress: 9, messages: ['a'] }),
    aRecord({ started, progress: 0, messages: ['a', 'b'] }),
    aRecord({ started, progress: 2, attempt: 2 }),
    aRecord({ status: 'cancelled', progress: 3, attempt: 2 }),
  ]
  makeWorld(told.map((record) => answer(record)))
  const progress = []
  const outcome = outcomeOf(tasks.watch('u-1', (record) => progress.push(record.progress)))
  await settle()
  for (const _ of told) await advance(1000)
  assert.equal(outcome.state, 'rejected')
  assert.deepEqual(progress, [1, 0, 2, 3])
})

const counts = (succeeded, failed = 0, cancelled = 0) => ({
  total: 4,
  ended: succeeded + failed + cancelled,
  succeeded,
  failed,
  cancelled,
})
const aGroup = (members, changes = {}) =>
  aRecord({ task: 'group', attempt: 0, progress: members.ended, target: 4, members, ...changes })

test('a group is watched by its uuid, and its records count its members', async () => {
  const told = [aGroup(counts(0)), aGroup(counts(1)), aGroup(counts(2, 1)), aGroup(counts(3, 1), { status: 'failed' })]
  const world = makeWorld(told.map((record) => answer(record)))
  const seen = []
  const outcome = outcomeOf(tasks.watch('u-1', ({ members }) => seen.push([members.ended, members.failed])))
  await settle()
  for (const _ of told) await advance(1000)
  assert.deepEqual(outcome, { state: 'rejected', value: told[3] })
  assert.deepEqual(seen, [[0, 0], [1, 0], [3, 1], [4, 1]])
  assert.deepEqual(world.requests.map(({ url }) => url), Array(4).fill('/tasks/u-1/'))
})

test("a group's count that is older than one that was seen is passed over", async () => {
  const told = [aGroup(counts(2)), aGroup(counts(1)), aGroup(counts(0)), aGroup(counts(3)), aGroup(counts(4), { status: 'succeeded' })]
  makeWorld(told.map((record) => answer(record)))
  const seen = []
  const outcome = outcomeOf(tasks.watch('u-1', ({ members }) => seen.push(members.ended)))
  await settle()
  for (const _ of told) await advance(1000)
  assert.equal(outcome.state, 'resolved')
  assert.deepEqual(seen, [2, 3, 4])
})

test('members gives a page of them', async () => {
  const page = { members: [{ index: 0, ...succeeded, group: 'u-1' }], next: '0' }
  const world = makeWorld([answer(page)])
  assert.deepEqual(await tasks.members('u-1'), page)
  assert.deepEqual([world.requests[0].method, world.requests[0].url], ['GET', '/tasks/u-1/members/'])
})

test('members asks for a status, a cursor and a limit where they are given', async () => {
  const world = makeWorld([answer({ members: [], next: null })])
  await tasks.members('u-1', { status: 'failed', limit: 20 })
  await tasks.members('u-1', { status: undefined, cursor: 'a&b', limit: undefined })
  await tasks.members('u-1', { cursor: null })
  assert.deepEqual(world.requests.map(({ url }) => url), [
    '/tasks/u-1/members/?status=failed&limit=20',
    '/tasks/u-1/members/?cursor=a%26b',
    '/tasks/u-1/members/',
  ])
})

test('the members of what is no group reject with 404', async () => {
  makeWorld([refusal(404, { error: { type: 'NotAGroup', message: 'Job u-1 is no group.' } })])
  await assert.rejects(tasks.members('u-1'), {
    name: 'HTTPError',
    status: 404,
    message: '/tasks/u-1/members/ answered 404: Job u-1 is no group.',
  })
})
