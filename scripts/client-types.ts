// Writes the types of the client library into dist/types/, for programs that have the package and neither our sources nor
// zod: what the library declares, with the catalogue's types written out. It refuses what would need a package of ours.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const SRC = join(ROOT, 'src')
const TYPES = join(ROOT, 'dist/types')
const LIBRARY = 'client/library.ts'
const CATALOGUE = 'protocol/catalogue.ts'
const FORMAT = ts.TypeFormatFlags.NoTruncation | ts.TypeFormatFlags.InTypeAlias

function programOf(): ts.Program {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, ROOT)
  const emitting = { noEmit: false, declaration: true, emitDeclarationOnly: true, allowImportingTsExtensions: true }
  return ts.createProgram([join(SRC, LIBRARY)], { ...options, ...emitting, rootDir: SRC, outDir: TYPES })
}

/** Each file's declarations, by its path below src. */
function declarationsOf(program: ts.Program): Map<string, string> {
  const made = new Map<string, string>()
  program.emit(undefined, (path, text) => {
    const source = relative(TYPES, path).replace(/\.d\.ts$/, '.ts')
    made.set(source, /from ['"]zod['"]/.test(text) ? plainTypesOf(program, source) : text)
  })
  return made.set(CATALOGUE, catalogueOf(program))
}

/** The types of a file whose schemas stay behind: those that follow from schemas written out, others as they stand. */
function plainTypesOf(program: ts.Program, path: string): string {
  const checker = program.getTypeChecker()
  const file = program.getSourceFile(join(SRC, path)) as ts.SourceFile
  const lines = file.statements.flatMap(statement => {
    const text = statement.getText(file)
    if (ts.isInterfaceDeclaration(statement)) return /\bz\./.test(text) ? [] : text
    if (ts.isImportDeclaration(statement)) return statement.importClause?.isTypeOnly && !/'zod'/.test(text) ? text : []
    if (!ts.isTypeAliasDeclaration(statement)) return []
    if (statement.typeParameters) return []
    const written = checker.typeToString(checker.getTypeAtLocation(statement.name), undefined, FORMAT)
    return `export type ${statement.name.text} = ${written}`
  })
  return `${lines.join('\n')}\nexport {}\n`
}

/** The types of params and results as plain types, which zod has derived them to. */
function catalogueOf(program: ts.Program): string {
  const checker = program.getTypeChecker()
  const file = program.getSourceFile(join(SRC, CATALOGUE)) as ts.SourceFile
  const names = checker.getExportsOfModule(checker.getSymbolAtLocation(file) as ts.Symbol)
  const catalogue = names.find(({ name }) => name === 'CATALOGUE') as ts.Symbol
  const ofSchema = (method: ts.Type, schema: 'params' | 'result', side: '_input' | '_output') => {
    const property = (type: ts.Type, name: string) => checker.getTypeOfSymbol(type.getProperty(name) as ts.Symbol)
    return checker.typeToString(property(property(method, schema), side), undefined, FORMAT)
  }
  const methods = checker
    .getTypeOfSymbol(catalogue)
    .getProperties()
    .map(symbol => {
      const method = checker.getTypeOfSymbol(symbol)
      const params = ofSchema(method, 'params', '_input')
      return `  ${JSON.stringify(symbol.name)}: { params: ${params}; result: ${ofSchema(method, 'result', '_output')} }`
    })
  return `export interface Methods {
${methods.join('\n')}
}
export type MethodName = keyof Methods
export type ParamsInput<M extends MethodName> = Methods[M]['params']
export type Result<M extends MethodName> = Methods[M]['result']
`
}

/** What can be reached from the library. Throws for what is imported from a package. */
function reachable(made: ReadonlyMap<string, string>, path = LIBRARY, found = new Set<string>()): Set<string> {
  if (found.has(path)) return found
  found.add(path)
  const text = made.get(path)
  if (text === undefined) throw new Error(`the types of ${path} were not made`)
  for (const { fileName } of ts.preProcessFile(text).importedFiles) {
    if (!fileName.startsWith('.')) throw new Error(`${path} needs types of ${fileName}, which nobody else has`)
    reachable(made, join(dirname(path), fileName), found)
  }
  return found
}

const made = declarationsOf(programOf())
rmSync(TYPES, { recursive: true, force: true })
for (const path of reachable(made)) {
  const target = join(TYPES, path.replace(/\.ts$/, '.d.ts'))
  mkdirSync(dirname(target), { recursive: true })
  // Declarations stand beside code by the name of what would be run.
  writeFileSync(target, (made.get(path) as string).replace(/(from\s+['"]\.[^'"]*)\.ts(['"])/g, '$1.js$2'))
}
