/**
 * Builds the static file and the npm package.
 *
 *   node build.mjs                  ../static/django-task-api.min.js and dist/
 *   node build.mjs --out <folder>   the same below <folder>, for comparing with what is committed
 */
import { execFileSync } from 'node:child_process'
import { cpSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'

const here = dirname(fileURLToPath(import.meta.url))
const { out } = parseArgs({ options: { out: { type: 'string' } } }).values
const staticFolder = out ? join(out, 'static') : join(here, '../static')
const dist = out ? join(out, 'dist') : join(here, 'dist')

const source = (name) => join(here, 'src', name)
const common = { bundle: true, target: 'es2020', charset: 'utf8', logLevel: 'warning', absWorkingDir: here }

rmSync(dist, { recursive: true, force: true })
await build({
  ...common,
  entryPoints: [source('global.ts')],
  format: 'iife',
  minify: true,
  banner: { js: '/* Serverless Tasks client. Built from django_integration/client. */' },
  outfile: join(staticFolder, 'django-task-api.min.js'),
})
for (const format of ['esm', 'cjs']) {
  for (const name of ['index', 'react']) {
    await build({
      ...common,
      entryPoints: [source(`${name}.ts`)],
      format,
      outfile: join(dist, format, `${name}.js`),
      sourcemap: true,
      // The hooks share the client's settings, so they share its module.
      external: name === 'react' ? ['react', './index.js'] : [],
    })
  }
}

const types = join(dist, 'esm')
const tsc = join(here, 'node_modules/typescript/bin/tsc')
execFileSync(process.execPath, [tsc, '--project', here, '--declaration', '--emitDeclarationOnly', '--outDir', types], {
  stdio: 'inherit',
})
cpSync(types, join(dist, 'cjs'), { recursive: true, filter: (file) => !file.endsWith('.js') })
// The package is of type "module"; this makes one folder of it CommonJS, for Node and for TypeScript.
writeFileSync(join(dist, 'cjs/package.json'), '{ "type": "commonjs" }\n')
if (!out) cpSync(join(here, '../../LICENSE'), join(here, 'LICENSE'))
