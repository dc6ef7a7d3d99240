/** To what each corner case compiles. `tsc` is the test: `same` takes `true` only for types that are the same. */
import type { Tasks } from './cases.gen.js'

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
type Flat<T> = T extends string | number | boolean | null | undefined ? T : { [Key in keyof T]: Flat<T[Key]> }

/** Interfaces are compared by what is in them. */
declare function same<A, B>(yes: Same<Flat<A>, Flat<B>>): void

same<Tasks['case.address']['inputs']['value'], string>(true)
same<Tasks['case.address']['outputs']['value'], string>(true)
same<Tasks['case.anything']['inputs']['value'], unknown>(true)
same<Tasks['case.anything']['outputs']['value'], unknown>(true)
same<Tasks['case.boolean']['inputs']['value'], boolean>(true)
same<Tasks['case.boolean']['outputs']['value'], boolean>(true)
same<Tasks['case.bounded']['inputs']['value'], number>(true)
same<Tasks['case.bounded']['outputs']['value'], number>(true)
same<Tasks['case.bytes']['inputs']['value'], string>(true)
same<Tasks['case.bytes']['outputs']['value'], string>(true)
same<Tasks['case.dataclass']['inputs']['value'], { x: number; y?: number }>(true)
same<Tasks['case.dataclass']['outputs']['value'], { x: number; y: number }>(true)
same<Tasks['case.date']['inputs']['value'], string>(true)
same<Tasks['case.date']['outputs']['value'], string>(true)
same<Tasks['case.datetime']['inputs']['value'], string>(true)
same<Tasks['case.datetime']['outputs']['value'], string>(true)
same<Tasks['case.decimal']['inputs']['value'], number | string>(true)
same<Tasks['case.decimal']['outputs']['value'], string>(true)
same<Tasks['case.discriminated']['inputs']['value'], { kind: 'cat'; lives: number } | { kind: 'dog'; tricks: string[] }>(true)
same<Tasks['case.discriminated']['outputs']['value'], { kind: 'cat'; lives: number } | { kind: 'dog'; tricks: string[] }>(true)
same<Tasks['case.duration']['inputs']['value'], string>(true)
same<Tasks['case.duration']['outputs']['value'], string>(true)
same<Tasks['case.enum']['inputs']['value'], 'red' | 'blue'>(true)
same<Tasks['case.enum']['outputs']['value'], 'red' | 'blue'>(true)
same<Tasks['case.enum.integers']['inputs']['value'], 1 | 2>(true)
same<Tasks['case.enum.integers']['outputs']['value'], 1 | 2>(true)
same<Tasks['case.enum.mixed']['inputs']['value'], 'a' | 1 | null>(true)
same<Tasks['case.enum.mixed']['outputs']['value'], 'a' | 1 | null>(true)
same<Tasks['case.enum.nullable']['inputs']['value'], 'red' | 'blue' | null>(true)
same<Tasks['case.enum.nullable']['outputs']['value'], 'red' | 'blue' | null>(true)
same<Tasks['case.float']['inputs']['value'], number>(true)
same<Tasks['case.float']['outputs']['value'], number>(true)
same<Tasks['case.frozenset']['inputs']['value'], string[]>(true)
same<Tasks['case.frozenset']['outputs']['value'], string[]>(true)
same<Tasks['case.integer']['inputs']['value'], number>(true)
same<Tasks['case.integer']['outputs']['value'], number>(true)
same<Tasks['case.json']['inputs']['value'], unknown>(true)
same<Tasks['case.json']['outputs']['value'], unknown>(true)
same<Tasks['case.json-text']['inputs']['value'], string>(true)
same<Tasks['case.json-text']['outputs']['value'], number[]>(true)
same<Tasks['case.list']['inputs']['value'], string[]>(true)
same<Tasks['case.list']['outputs']['value'], string[]>(true)
same<Tasks['case.list.anything']['inputs']['value'], unknown[]>(true)
same<Tasks['case.list.anything']['outputs']['value'], unknown[]>(true)
same<Tasks['case.list.bounded']['inputs']['value'], number[]>(true)
same<Tasks['case.list.bounded']['outputs']['value'], number[]>(true)
same<Tasks['case.list.of-lists']['inputs']['value'], number[][]>(true)
same<Tasks['case.list.of-lists']['outputs']['value'], number[][]>(true)
same<Tasks['case.literal']['inputs']['value'], 'a' | 'b'>(true)
same<Tasks['case.literal']['outputs']['value'], 'a' | 'b'>(true)
same<Tasks['case.literal.mixed']['inputs']['value'], 'a' | 1 | true | null>(true)
same<Tasks['case.literal.mixed']['outputs']['value'], 'a' | 1 | true | null>(true)
same<Tasks['case.literal.one']['inputs']['value'], 'only'>(true)
same<Tasks['case.literal.one']['outputs']['value'], 'only'>(true)
same<Tasks['case.literal.quotes']['inputs']['value'], 'a"b' | 'c\\d' | 'e\nf' | 'g`${h}`'>(true)
same<Tasks['case.literal.quotes']['outputs']['value'], 'a"b' | 'c\\d' | 'e\nf' | 'g`${h}`'>(true)
same<Tasks['case.map']['inputs']['value'], { [key: string]: number }>(true)
same<Tasks['case.map']['outputs']['value'], { [key: string]: number }>(true)
same<Tasks['case.map.anything']['inputs']['value'], { [key: string]: unknown }>(true)
same<Tasks['case.map.anything']['outputs']['value'], { [key: string]: unknown }>(true)
same<Tasks['case.map.enum-keys']['inputs']['value'], { red?: string; blue?: string }>(true)
same<Tasks['case.map.enum-keys']['outputs']['value'], { red?: string; blue?: string }>(true)
same<Tasks['case.map.integer-keys']['inputs']['value'], { [key: string]: string }>(true)
same<Tasks['case.map.integer-keys']['outputs']['value'], { [key: string]: string }>(true)
same<Tasks['case.map.literal-keys']['inputs']['value'], { a?: number; b?: number }>(true)
same<Tasks['case.map.literal-keys']['outputs']['value'], { a?: number; b?: number }>(true)
same<Tasks['case.map.of-maps']['inputs']['value'], { [key: string]: { [key: string]: number[] } }>(true)
same<Tasks['case.map.of-maps']['outputs']['value'], { [key: string]: { [key: string]: number[] } }>(true)
same<Tasks['case.map.pattern-keys']['inputs']['value'], { [key: string]: boolean }>(true)
same<Tasks['case.map.pattern-keys']['outputs']['value'], { [key: string]: boolean }>(true)
same<Tasks['case.model']['inputs']['value'], { amount: number; currency?: string }>(true)
same<Tasks['case.model']['outputs']['value'], { amount: number; currency: string }>(true)
same<Tasks['case.model.described']['inputs']['value'], { field?: number }>(true)
same<Tasks['case.model.described']['outputs']['value'], { field: number }>(true)
same<Tasks['case.model.list']['inputs']['value'], { amount: number; currency?: string }[]>(true)
same<Tasks['case.model.list']['outputs']['value'], { amount: number; currency: string }[]>(true)
same<Tasks['case.model.nullable']['inputs']['value'], { amount: number; currency?: string } | null>(true)
same<Tasks['case.model.nullable']['outputs']['value'], { amount: number; currency: string } | null>(true)
same<Tasks['case.model.odd-names']['inputs']['value'], { 'with-dash': number; 'say "hi"': string; class: string; '1st': number; größe: string; __proto__: string }>(true)
same<Tasks['case.model.odd-names']['outputs']['value'], { 'with-dash': number; 'say "hi"': string; class: string; '1st': number; größe: string; __proto__: string }>(true)
same<Tasks['case.model.open']['inputs']['value'], { known: number; [key: string]: unknown }>(true)
same<Tasks['case.model.open']['outputs']['value'], { known: number; [key: string]: unknown }>(true)
same<Tasks['case.named-tuple']['inputs']['value'], [number, string?]>(true)
same<Tasks['case.named-tuple']['outputs']['value'], [number, string?]>(true)
same<Tasks['case.nothing']['inputs']['value'], null>(true)
same<Tasks['case.nothing']['outputs']['value'], null>(true)
same<Tasks['case.nullable']['inputs']['value'], string | null>(true)
same<Tasks['case.nullable']['outputs']['value'], string | null>(true)
same<Tasks['case.object']['inputs']['value'], unknown>(true)
same<Tasks['case.object']['outputs']['value'], unknown>(true)
same<Tasks['case.pattern']['inputs']['value'], string>(true)
same<Tasks['case.pattern']['outputs']['value'], string>(true)
same<Tasks['case.root-model']['inputs']['value'], string[]>(true)
same<Tasks['case.root-model']['outputs']['value'], string[]>(true)
same<Tasks['case.schema.all-of']['inputs']['value'], { a: string } & { b: number }>(true)
same<Tasks['case.schema.all-of']['outputs']['value'], { a: string } & { b: number }>(true)
same<Tasks['case.schema.anything']['inputs']['value'], unknown>(true)
same<Tasks['case.schema.anything']['outputs']['value'], unknown>(true)
same<Tasks['case.schema.const-object']['inputs']['value'], { a: [1, null] }>(true)
same<Tasks['case.schema.const-object']['outputs']['value'], { a: [1, null] }>(true)
same<Tasks['case.schema.never']['inputs']['value'], never>(true)
same<Tasks['case.schema.never']['outputs']['value'], never>(true)
same<Tasks['case.schema.tuple-with-rest']['inputs']['value'], [string?, ...number[]]>(true)
same<Tasks['case.schema.tuple-with-rest']['outputs']['value'], [string?, ...number[]]>(true)
same<Tasks['case.schema.types']['inputs']['value'], string | null>(true)
same<Tasks['case.schema.types']['outputs']['value'], string | null>(true)
same<Tasks['case.schema.unknown-reference']['inputs']['value'], unknown>(true)
same<Tasks['case.schema.unknown-reference']['outputs']['value'], unknown>(true)
same<Tasks['case.sequence']['inputs']['value'], number[]>(true)
same<Tasks['case.sequence']['outputs']['value'], number[]>(true)
same<Tasks['case.set']['inputs']['value'], number[]>(true)
same<Tasks['case.set']['outputs']['value'], number[]>(true)
same<Tasks['case.text']['inputs']['value'], string>(true)
same<Tasks['case.text']['outputs']['value'], string>(true)
same<Tasks['case.time']['inputs']['value'], string>(true)
same<Tasks['case.time']['outputs']['value'], string>(true)
same<Tasks['case.tuple']['inputs']['value'], [number, string]>(true)
same<Tasks['case.tuple']['outputs']['value'], [number, string]>(true)
same<Tasks['case.tuple.empty']['inputs']['value'], []>(true)
same<Tasks['case.tuple.empty']['outputs']['value'], []>(true)
same<Tasks['case.tuple.of-unions']['inputs']['value'], [number | null, string[]]>(true)
same<Tasks['case.tuple.of-unions']['outputs']['value'], [number | null, string[]]>(true)
same<Tasks['case.tuple.open']['inputs']['value'], number[]>(true)
same<Tasks['case.tuple.open']['outputs']['value'], number[]>(true)
same<Tasks['case.typed-dict']['inputs']['value'], { size: number; name?: string }>(true)
same<Tasks['case.typed-dict']['outputs']['value'], { size: number; name?: string }>(true)
same<Tasks['case.union']['inputs']['value'], string | number>(true)
same<Tasks['case.union']['outputs']['value'], string | number>(true)
same<Tasks['case.union.in-list']['inputs']['value'], (number | string | null)[]>(true)
same<Tasks['case.union.in-list']['outputs']['value'], (number | string | null)[]>(true)
same<Tasks['case.union.of-lists']['inputs']['value'], number[] | string[]>(true)
same<Tasks['case.union.of-lists']['outputs']['value'], number[] | string[]>(true)
same<Tasks['case.url']['inputs']['value'], string>(true)
same<Tasks['case.url']['outputs']['value'], string>(true)
same<Tasks['case.uuid']['inputs']['value'], string>(true)
same<Tasks['case.uuid']['outputs']['value'], string>(true)

// What refers to itself cannot be flattened: it is used.
const tree: Tasks['case.model.recursive']['inputs']['value'] = { name: 'a', children: [{ name: 'b' }] }
const grown: Tasks['case.model.recursive']['outputs']['value'] = { name: 'a', children: [{ name: 'b', children: [] }] }
const nested: Tasks['case.recursive-alias']['inputs']['value'] = { a: [1, { b: 2 }] }
// @ts-expect-error a text is not among them
const wrong: Tasks['case.recursive-alias']['inputs']['value'] = { a: ['text'] }
// @ts-expect-error a child has a name
const nameless: Tasks['case.model.recursive']['inputs']['value'] = { name: 'a', children: [{}] }
const extra: Tasks['case.model.typed-extra']['inputs']['value'] = { known: 'a', perhaps: null, more: 1.5 }
// @ts-expect-error other fields are numbers
const others: Tasks['case.model.typed-extra']['inputs']['value'] = { known: 'a', more: [] }

// Required in outputs, whatever has a default in inputs; secrets are taken, and never given in clear text.
same<Tasks['with-defaults']['inputs'], {
  required: number
  given?: number
  nullable?: string | null
  made?: number[]
  secret?: string
  new?: number
}>(true)
same<Tasks['with-defaults']['outputs'], {
  required: number
  given: number
  nullable: string | null
  made: number[]
  secret: string
  shown: number
}>(true)
same<Tasks['dictionary'], {
  inputs: {
    count: number
    numbers: number[]
    ratio?: number
    exact?: boolean
    labels?: { [key: string]: unknown } | unknown[]
    password: string
    other?: unknown
  }
  outputs: { total?: number; parts?: string[] }
  errors: '' | 'count' | 'numbers' | `numbers.${string}` | 'ratio' | 'exact' | 'labels' | `labels.${string}` | 'password' | 'other' | `other.${string}`
}>(true)
same<Tasks['1st of all: nothing']['inputs'], { [name: string]: never }>(true)
// Two models of one name are two types.
same<Tasks['case.model']['inputs']['value'], Tasks['colliding']['inputs']['money']>(false)

export { extra, grown, nameless, nested, others, tree, wrong }
