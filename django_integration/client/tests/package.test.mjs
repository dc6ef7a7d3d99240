/** The package that would be published: what is in it, how large it is, and whether others can import it. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { transformSync } from 'esbuild'

const here = fileURLToPath(new URL('..', import.meta.url))
const bin = join(here, 'node_modules/.bin')
const folder = mkdtempSync(join(tmpdir(), 'client-'))
const installed = join(folder, 'project/node_modules/serverless-tasks-client')
let packed, files

const call = (command, args, cwd = here) => spawnSync(command, args, { cwd, encoding: 'utf8' })
const minified = (path) => gzipSync(transformSync(readFileSync(path, 'utf8'), { minify: true }).code, { level: 9 }).length

before(() => {
  // A copy, so that a build that other tests look at meanwhile stays as it is.
  const copy = join(folder, 'django_integration/client')
  mkdirSync(copy, { recursive: true })
  for (const name of ['src', 'react', 'tests/types', 'build.mjs', 'package.json', 'README.md', 'tsconfig.json', '.npmrc']) {
    cpSync(join(here, name), join(copy, name), { recursive: true })
  }
  cpSync(join(here, '../../LICENSE'), join(folder, 'LICENSE'))
  symlinkSync(join(here, 'node_modules'), join(copy, 'node_modules'))
  const [said] = JSON.parse(execFileSync('npm', ['pack', '--json', '--pack-destination', folder], { cwd: copy, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).replace(/^[^[]*/, ''))
  packed = join(folder, said.filename)
  files = said.files.map(({ path }) => path)
  mkdirSync(installed, { recursive: true })
  execFileSync('tar', ['-xzf', packed, '-C', installed, '--strip-components=1'])
})
after(() => rmSync(folder, { recursive: true }))

test('it holds both kinds of modules, their types, the sources that their maps name, LICENSE and README', () => {
  for (const kind of ['esm', 'cjs']) {
    for (const name of ['index', 'react']) {
      for (const suffix of ['.js', '.js.map', '.d.ts']) assert.ok(files.includes(`dist/${kind}/${name}${suffix}`), `${kind}/${name}${suffix}`)
      const { sources } = JSON.parse(readFileSync(join(installed, `dist/${kind}/${name}.js.map`), 'utf8'))
      for (const source of sources) assert.ok(files.includes(source.replace('../../', '')), source)
    }
  }
  assert.ok(files.includes('LICENSE') && files.includes('README.md'))
  assert.deepEqual(files.filter((path) => !/^(dist|src|react)\/|^(LICENSE|README\.md|package\.json)$/.test(path)), [])
})

test('publint and attw find nothing', () => {
  for (const [command, args] of [[join(bin, 'publint'), ['run', packed, '--strict']], [join(bin, 'attw'), [packed]]]) {
    const { status, stdout, stderr } = call(command, args, folder)
    assert.equal(status, 0, stdout + stderr)
  }
})

test('its sizes: 3 kB at most for the script and the module, under 1 kB for the hooks, gzipped', () => {
  const script = gzipSync(readFileSync(join(here, '../static/django-task-api.min.js')), { level: 9 }).length
  const module = minified(join(installed, 'dist/esm/index.js'))
  const hooks = minified(join(installed, 'dist/esm/react.js'))
  assert.ok(script <= 3000, `script: ${script}`)
  assert.ok(module <= 3000, `module: ${module}`)
  assert.ok(hooks < 1000, `hooks: ${hooks}`)
})

test('it has no dependency', () => {
  const { dependencies, peerDependencies, peerDependenciesMeta } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'))
  assert.equal(dependencies, undefined)
  assert.deepEqual(Object.keys(peerDependencies), ['react'])
  assert.ok(peerDependenciesMeta.react.optional)
})

test('import and require give the same calls', () => {
  const project = join(folder, 'project')
  writeFileSync(join(project, 'a.mjs'), "import tasks, { HTTPError, run } from 'serverless-tasks-client'\nconsole.log(Object.keys(tasks).sort().join(), typeof run, HTTPError.name)")
  writeFileSync(join(project, 'a.cjs'), "const { default: tasks, HTTPError, run } = require('serverless-tasks-client')\nconsole.log(Object.keys(tasks).sort().join(), typeof run, HTTPError.name)")
  for (const name of ['a.mjs', 'a.cjs']) {
    assert.equal(call(process.execPath, [name], project).stdout, 'cancel,createClient,get,list,members,options,run,watch function HTTPError\n')
  }
})

test('a wrong use of generated types does not compile', () => {
  const project = join(folder, 'project')
  const tsc = (text) => {
    writeFileSync(join(project, 'use.ts'), `import { createClient } from 'serverless-tasks-client'\nimport type { Tasks } from './tasks.gen.js'\n${text}\n`)
    return call(join(bin, 'tsc'), ['--strict', '--noEmit', '--module', 'nodenext', '--lib', 'es2022,dom', '--types', '', 'use.ts'], project)
  }
  cpSync(join(here, 'tests/types/cases.gen.ts'), join(project, 'tasks.gen.ts'))
  writeFileSync(join(project, 'package.json'), '{ "type": "module" }')
  const right = tsc("export const sum = createClient<Tasks>().run('case.integer', { value: 1 }).then((r) => r.outputs.value + 1)")
  assert.equal(right.status, 0, right.stdout)
  const wrong = tsc("export const sum = createClient<Tasks>().run('case.integer', { value: 'one' })")
  assert.notEqual(wrong.status, 0)
  assert.match(wrong.stdout, /use\.ts\(3,\d+\): error TS2322: Type 'string' is not assignable to type 'number'/)
})
