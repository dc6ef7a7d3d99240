/**
 * Prints what the package exports as JSON: signatures and doc comments, as TypeScript's compiler reads them from src/.
 * infra/site/javascript.py makes docs/reference/javascript.md of it.
 *
 *   node reference.mjs
 */
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { SyntaxKind, getTextOfJSDocComment } from 'typescript/unstable/ast'
import { API, SignatureKind, SymbolFlags } from 'typescript/unstable/sync'

const here = dirname(fileURLToPath(import.meta.url))
const tsconfig = join(here, 'tsconfig.json')
const compiler = new API({ cwd: here })
const { checker, program } = compiler.updateSnapshot({ openProjects: [tsconfig] }).getProject(tsconfig)

const kinds = {
  [SyntaxKind.ClassDeclaration]: 'class',
  [SyntaxKind.InterfaceDeclaration]: 'interface',
  [SyntaxKind.TypeAliasDeclaration]: 'type',
}
/** Through these a member's own members are reached, each with what stands before their names. */
const within = {
  [SyntaxKind.ArrayType]: '[]',
  [SyntaxKind.IntersectionType]: '',
  [SyntaxKind.MappedType]: '[Name]',
  [SyntaxKind.TypeLiteral]: '',
  [SyntaxKind.UnionType]: '',
}

/** The source between two positions without its comments, moved to the left. */
function source(node, from, to) {
  const whole = node.getSourceFile().text
  const depth = /^ */.exec(whole.slice(whole.lastIndexOf('\n', from) + 1))[0].length
  const text = whole.slice(from, to).replace(/^[ \t]*\/\*\*[\s\S]*?\*\/[ \t]*\n/gm, '')
  const [first, ...rest] = text.trim().split('\n')
  return [first.replace(/^export /, ''), ...rest.map((line) => line.slice(depth))].join('\n')
}

/** What the comment before a node says; of its tags those that the page has. */
function comment(node) {
  const written = node.jsDoc?.at(-1)
  const said = { doc: getTextOfJSDocComment(written?.comment) ?? '', params: [] }
  for (const tag of written?.tags ?? []) {
    const text = getTextOfJSDocComment(tag.comment) ?? ''
    if (tag.kind === SyntaxKind.JSDocParameterTag) said.params.push({ name: tag.name.getText(), doc: text })
    else said[tag.tagName.text] = text
  }
  return said
}

/** The names of the types that a signature has, without those of its own parameters. */
function uses(...nodes) {
  const names = new Set()
  const own = new Set()
  const walk = (node) => {
    if (node.kind === SyntaxKind.TypeParameter) own.add(node.name.text)
    if (node.kind === SyntaxKind.TypeReference) names.add(node.typeName.getText())
    if (node.kind === SyntaxKind.ExpressionWithTypeArguments) names.add(node.expression.getText())
    if (node.kind !== SyntaxKind.Block) node.forEachChild(walk)
  }
  nodes.forEach(walk)
  return [...names].filter((name) => !own.has(name))
}

/** The members of a type, those of its members' own types after them: `error`, `error.message`. */
function members(node, before = '') {
  const found = []
  node.forEachChild((child) => {
    if (child.kind === SyntaxKind.PropertySignature || child.kind === SyntaxKind.MethodSignature) {
      const name = before + (before && '.') + child.name.getText()
      const optional = child.postfixToken !== undefined
      found.push({ name, optional, ...comment(child) })
      if (child.kind === SyntaxKind.PropertySignature) found.push(...members(child, name))
    } else if (child.kind in within) {
      found.push(...members(child, before + within[child.kind]))
    }
  })
  return found
}

/** A function by the name that it is exported by: its signature ends where its body begins. */
function called(name, node) {
  const owner = node.parent.kind === SyntaxKind.PropertyAssignment ? node.parent : node
  const said = comment(owner)
  const from = (node.typeParameters ?? node.parameters).pos - 1
  const params = node.parameters.map((each, index) => {
    const tag = said.params[index]
    const named = each.name.kind === SyntaxKind.Identifier ? each.name.getText() : tag?.name
    return { name: named, doc: tag?.name === named ? tag?.doc : '', default: each.initializer?.getText() }
  })
  return {
    name,
    kind: 'function',
    signature: name + source(node, from, node.type.end),
    ...said,
    params,
    uses: uses(...(node.typeParameters ?? []), ...node.parameters, node.type),
  }
}

/** A class: what its constructor stores are its members. */
function classOf(name, node) {
  const made = node.members.find((member) => member.kind === SyntaxKind.Constructor)
  const said = comment(made)
  const stored = made.parameters.filter((each) => each.modifiers?.length)
  const docs = Object.fromEntries(said.params.map((tag) => [tag.name, tag.doc]))
  const head = source(node, node.getStart(), node.members.pos)
  return {
    name,
    kind: 'class',
    signature: [head, ...stored.map((each) => `  ${each.getText()}`), '}'].join('\n'),
    doc: comment(node).doc,
    members: stored.map((each) => ({ name: each.name.getText(), doc: docs[each.name.getText()] ?? '' })),
    uses: uses(node),
  }
}

function typeOf(name, node) {
  if (node.kind === SyntaxKind.ClassDeclaration) return classOf(name, node)
  return {
    name,
    kind: kinds[node.kind],
    signature: source(node, node.getStart(), node.end),
    ...comment(node),
    members: members(node),
    uses: uses(node),
  }
}

/** A value that is no function: with what it holds at first. */
function valueOf(name, node) {
  const values = node.initializer.properties.map((each) => [each.name.getText(), each.initializer.getText()])
  return {
    name,
    kind: 'value',
    signature: `const ${name}: ${node.type.getText()}`,
    ...comment(node.parent.parent),
    type: node.type.getText(),
    values: Object.fromEntries(values),
    uses: uses(node.type),
  }
}

function exported(symbol) {
  const target = symbol.flags & SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
  const node = target.declarations[0].resolve()
  if (node.kind in kinds) return typeOf(symbol.name, node)
  const [signature] = checker.getSignaturesOfType(checker.getTypeOfSymbol(target), SignatureKind.Call)
  return signature ? called(symbol.name, signature.declaration.resolve()) : valueOf(symbol.name, node)
}

/** The types of all sources by their names, also those that are not exported. */
function types() {
  const found = {}
  for (const name of program.getSourceFileNames().filter((file) => file.startsWith(join(here, 'src')))) {
    for (const node of program.getSourceFile(name).statements) if (node.kind in kinds) found[node.name.text] = node
  }
  return found
}

const modules = ['index', 'react'].map((name) => {
  const symbols = checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(join(here, `src/${name}.ts`))))
  const main = symbols.find((symbol) => symbol.name === 'default')
  return {
    name,
    exports: symbols.filter((symbol) => symbol !== main).map(exported),
    // What is reached by the default export too.
    default: main ? checker.getPropertiesOfType(checker.getTypeOfSymbol(main)).map((each) => each.name) : [],
  }
})
const known = modules.flatMap((module) => module.exports)
const declared = types()
// What is added is looked through as well.
const all = [...known]
for (const { uses } of all) {
  for (const name of uses) {
    if (name in declared && !all.some((each) => each.name === name)) all.push(typeOf(name, declared[name]))
  }
}
compiler.close()
process.stdout.write(JSON.stringify({ modules, inner: all.slice(known.length) }, null, 2) + '\n')
