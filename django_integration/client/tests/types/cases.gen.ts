// Made by `serverless-tasks types` from the tasks. Do not change it: change a task, and make it anew.
/* eslint-disable */

/** The tasks by their names: what each takes, what it gives, and the fields that a refusal names. */
export interface Tasks {
  "1st of all: nothing": {
    inputs: Type1stOfAllNothingInputs;
    outputs: Type1stOfAllNothingOutputs;
    errors: Type1stOfAllNothingErrors;
  };
  "case.address": {
    inputs: CaseAddressInputs;
    outputs: CaseAddressOutputs;
    errors: CaseAddressErrors;
  };
  "case.anything": {
    inputs: CaseAnythingInputs;
    outputs: CaseAnythingOutputs;
    errors: CaseAnythingErrors;
  };
  "case.boolean": {
    inputs: CaseBooleanInputs;
    outputs: CaseBooleanOutputs;
    errors: CaseBooleanErrors;
  };
  "case.bounded": {
    inputs: CaseBoundedInputs;
    outputs: CaseBoundedOutputs;
    errors: CaseBoundedErrors;
  };
  "case.bytes": {
    inputs: CaseBytesInputs;
    outputs: CaseBytesOutputs;
    errors: CaseBytesErrors;
  };
  "case.dataclass": {
    inputs: CaseDataclassInputs;
    outputs: CaseDataclassOutputs;
    errors: CaseDataclassErrors;
  };
  "case.date": {
    inputs: CaseDateInputs;
    outputs: CaseDateOutputs;
    errors: CaseDateErrors;
  };
  "case.datetime": {
    inputs: CaseDatetimeInputs;
    outputs: CaseDatetimeOutputs;
    errors: CaseDatetimeErrors;
  };
  "case.decimal": {
    inputs: CaseDecimalInputs;
    outputs: CaseDecimalOutputs;
    errors: CaseDecimalErrors;
  };
  "case.discriminated": {
    inputs: CaseDiscriminatedInputs;
    outputs: CaseDiscriminatedOutputs;
    errors: CaseDiscriminatedErrors;
  };
  "case.duration": {
    inputs: CaseDurationInputs;
    outputs: CaseDurationOutputs;
    errors: CaseDurationErrors;
  };
  "case.enum": {
    inputs: CaseEnumInputs;
    outputs: CaseEnumOutputs;
    errors: CaseEnumErrors;
  };
  "case.enum.integers": {
    inputs: CaseEnumIntegersInputs;
    outputs: CaseEnumIntegersOutputs;
    errors: CaseEnumIntegersErrors;
  };
  "case.enum.mixed": {
    inputs: CaseEnumMixedInputs;
    outputs: CaseEnumMixedOutputs;
    errors: CaseEnumMixedErrors;
  };
  "case.enum.nullable": {
    inputs: CaseEnumNullableInputs;
    outputs: CaseEnumNullableOutputs;
    errors: CaseEnumNullableErrors;
  };
  "case.float": {
    inputs: CaseFloatInputs;
    outputs: CaseFloatOutputs;
    errors: CaseFloatErrors;
  };
  "case.frozenset": {
    inputs: CaseFrozensetInputs;
    outputs: CaseFrozensetOutputs;
    errors: CaseFrozensetErrors;
  };
  "case.integer": {
    inputs: CaseIntegerInputs;
    outputs: CaseIntegerOutputs;
    errors: CaseIntegerErrors;
  };
  "case.json": {
    inputs: CaseJsonInputs;
    outputs: CaseJsonOutputs;
    errors: CaseJsonErrors;
  };
  "case.json-text": {
    inputs: CaseJsonTextInputs;
    outputs: CaseJsonTextOutputs;
    errors: CaseJsonTextErrors;
  };
  "case.list": {
    inputs: CaseListInputs;
    outputs: CaseListOutputs;
    errors: CaseListErrors;
  };
  "case.list.anything": {
    inputs: CaseListAnythingInputs;
    outputs: CaseListAnythingOutputs;
    errors: CaseListAnythingErrors;
  };
  "case.list.bounded": {
    inputs: CaseListBoundedInputs;
    outputs: CaseListBoundedOutputs;
    errors: CaseListBoundedErrors;
  };
  "case.list.of-lists": {
    inputs: CaseListOfListsInputs;
    outputs: CaseListOfListsOutputs;
    errors: CaseListOfListsErrors;
  };
  "case.literal": {
    inputs: CaseLiteralInputs;
    outputs: CaseLiteralOutputs;
    errors: CaseLiteralErrors;
  };
  "case.literal.mixed": {
    inputs: CaseLiteralMixedInputs;
    outputs: CaseLiteralMixedOutputs;
    errors: CaseLiteralMixedErrors;
  };
  "case.literal.one": {
    inputs: CaseLiteralOneInputs;
    outputs: CaseLiteralOneOutputs;
    errors: CaseLiteralOneErrors;
  };
  "case.literal.quotes": {
    inputs: CaseLiteralQuotesInputs;
    outputs: CaseLiteralQuotesOutputs;
    errors: CaseLiteralQuotesErrors;
  };
  "case.map": {
    inputs: CaseMapInputs;
    outputs: CaseMapOutputs;
    errors: CaseMapErrors;
  };
  "case.map.anything": {
    inputs: CaseMapAnythingInputs;
    outputs: CaseMapAnythingOutputs;
    errors: CaseMapAnythingErrors;
  };
  "case.map.enum-keys": {
    inputs: CaseMapEnumKeysInputs;
    outputs: CaseMapEnumKeysOutputs;
    errors: CaseMapEnumKeysErrors;
  };
  "case.map.integer-keys": {
    inputs: CaseMapIntegerKeysInputs;
    outputs: CaseMapIntegerKeysOutputs;
    errors: CaseMapIntegerKeysErrors;
  };
  "case.map.literal-keys": {
    inputs: CaseMapLiteralKeysInputs;
    outputs: CaseMapLiteralKeysOutputs;
    errors: CaseMapLiteralKeysErrors;
  };
  "case.map.of-maps": {
    inputs: CaseMapOfMapsInputs;
    outputs: CaseMapOfMapsOutputs;
    errors: CaseMapOfMapsErrors;
  };
  "case.map.pattern-keys": {
    inputs: CaseMapPatternKeysInputs;
    outputs: CaseMapPatternKeysOutputs;
    errors: CaseMapPatternKeysErrors;
  };
  "case.model": {
    inputs: CaseModelInputs;
    outputs: CaseModelOutputs;
    errors: CaseModelErrors;
  };
  "case.model.described": {
    inputs: CaseModelDescribedInputs;
    outputs: CaseModelDescribedOutputs;
    errors: CaseModelDescribedErrors;
  };
  "case.model.list": {
    inputs: CaseModelListInputs;
    outputs: CaseModelListOutputs;
    errors: CaseModelListErrors;
  };
  "case.model.nullable": {
    inputs: CaseModelNullableInputs;
    outputs: CaseModelNullableOutputs;
    errors: CaseModelNullableErrors;
  };
  "case.model.odd-names": {
    inputs: CaseModelOddNamesInputs;
    outputs: CaseModelOddNamesOutputs;
    errors: CaseModelOddNamesErrors;
  };
  "case.model.open": {
    inputs: CaseModelOpenInputs;
    outputs: CaseModelOpenOutputs;
    errors: CaseModelOpenErrors;
  };
  "case.model.recursive": {
    inputs: CaseModelRecursiveInputs;
    outputs: CaseModelRecursiveOutputs;
    errors: CaseModelRecursiveErrors;
  };
  "case.model.typed-extra": {
    inputs: CaseModelTypedExtraInputs;
    outputs: CaseModelTypedExtraOutputs;
    errors: CaseModelTypedExtraErrors;
  };
  "case.named-tuple": {
    inputs: CaseNamedTupleInputs;
    outputs: CaseNamedTupleOutputs;
    errors: CaseNamedTupleErrors;
  };
  "case.nothing": {
    inputs: CaseNothingInputs;
    outputs: CaseNothingOutputs;
    errors: CaseNothingErrors;
  };
  "case.nullable": {
    inputs: CaseNullableInputs;
    outputs: CaseNullableOutputs;
    errors: CaseNullableErrors;
  };
  "case.object": {
    inputs: CaseObjectInputs;
    outputs: CaseObjectOutputs;
    errors: CaseObjectErrors;
  };
  "case.pattern": {
    inputs: CasePatternInputs;
    outputs: CasePatternOutputs;
    errors: CasePatternErrors;
  };
  "case.recursive-alias": {
    inputs: CaseRecursiveAliasInputs;
    outputs: CaseRecursiveAliasOutputs;
    errors: CaseRecursiveAliasErrors;
  };
  "case.root-model": {
    inputs: CaseRootModelInputs;
    outputs: CaseRootModelOutputs;
    errors: CaseRootModelErrors;
  };
  "case.schema.all-of": {
    inputs: CaseSchemaAllOfInputs;
    outputs: CaseSchemaAllOfOutputs;
    errors: CaseSchemaAllOfErrors;
  };
  "case.schema.anything": {
    inputs: CaseSchemaAnythingInputs;
    outputs: CaseSchemaAnythingOutputs;
    errors: CaseSchemaAnythingErrors;
  };
  "case.schema.const-object": {
    inputs: CaseSchemaConstObjectInputs;
    outputs: CaseSchemaConstObjectOutputs;
    errors: CaseSchemaConstObjectErrors;
  };
  "case.schema.never": {
    inputs: CaseSchemaNeverInputs;
    outputs: CaseSchemaNeverOutputs;
    errors: CaseSchemaNeverErrors;
  };
  "case.schema.tuple-with-rest": {
    inputs: CaseSchemaTupleWithRestInputs;
    outputs: CaseSchemaTupleWithRestOutputs;
    errors: CaseSchemaTupleWithRestErrors;
  };
  "case.schema.types": {
    inputs: CaseSchemaTypesInputs;
    outputs: CaseSchemaTypesOutputs;
    errors: CaseSchemaTypesErrors;
  };
  "case.schema.unknown-reference": {
    inputs: CaseSchemaUnknownReferenceInputs;
    outputs: CaseSchemaUnknownReferenceOutputs;
    errors: CaseSchemaUnknownReferenceErrors;
  };
  "case.sequence": {
    inputs: CaseSequenceInputs;
    outputs: CaseSequenceOutputs;
    errors: CaseSequenceErrors;
  };
  "case.set": {
    inputs: CaseSetInputs;
    outputs: CaseSetOutputs;
    errors: CaseSetErrors;
  };
  "case.text": {
    inputs: CaseTextInputs;
    outputs: CaseTextOutputs;
    errors: CaseTextErrors;
  };
  "case.time": {
    inputs: CaseTimeInputs;
    outputs: CaseTimeOutputs;
    errors: CaseTimeErrors;
  };
  "case.tuple": {
    inputs: CaseTupleInputs;
    outputs: CaseTupleOutputs;
    errors: CaseTupleErrors;
  };
  "case.tuple.empty": {
    inputs: CaseTupleEmptyInputs;
    outputs: CaseTupleEmptyOutputs;
    errors: CaseTupleEmptyErrors;
  };
  "case.tuple.of-unions": {
    inputs: CaseTupleOfUnionsInputs;
    outputs: CaseTupleOfUnionsOutputs;
    errors: CaseTupleOfUnionsErrors;
  };
  "case.tuple.open": {
    inputs: CaseTupleOpenInputs;
    outputs: CaseTupleOpenOutputs;
    errors: CaseTupleOpenErrors;
  };
  "case.typed-dict": {
    inputs: CaseTypedDictInputs;
    outputs: CaseTypedDictOutputs;
    errors: CaseTypedDictErrors;
  };
  "case.union": {
    inputs: CaseUnionInputs;
    outputs: CaseUnionOutputs;
    errors: CaseUnionErrors;
  };
  "case.union.in-list": {
    inputs: CaseUnionInListInputs;
    outputs: CaseUnionInListOutputs;
    errors: CaseUnionInListErrors;
  };
  "case.union.of-lists": {
    inputs: CaseUnionOfListsInputs;
    outputs: CaseUnionOfListsOutputs;
    errors: CaseUnionOfListsErrors;
  };
  "case.url": {
    inputs: CaseUrlInputs;
    outputs: CaseUrlOutputs;
    errors: CaseUrlErrors;
  };
  "case.uuid": {
    inputs: CaseUuidInputs;
    outputs: CaseUuidOutputs;
    errors: CaseUuidErrors;
  };
  colliding: {
    inputs: CollidingInputs;
    outputs: CollidingOutputs;
    errors: CollidingErrors;
  };
  /** A task in the style of parameter objects. */
  dictionary: {
    inputs: DictionaryInputs;
    outputs: DictionaryOutputs;
    errors: DictionaryErrors;
  };
  /** Take few inputs. */
  "with-defaults": {
    inputs: WithDefaultsInputs;
    outputs: WithDefaultsOutputs;
    errors: WithDefaultsErrors;
  };
}

export type Type1stOfAllNothingInputs = Record<string, never>;

export type Type1stOfAllNothingOutputs = Record<string, never>;

export interface CaseAddressInputs {
  /** @format ipv4 */
  value: string;
}

export interface CaseAddressOutputs {
  /** @format ipv4 */
  value: string;
}

export interface CaseAnythingInputs {
  value: unknown;
}

export interface CaseAnythingOutputs {
  value: unknown;
}

export interface CaseBooleanInputs {
  value: boolean;
}

export interface CaseBooleanOutputs {
  value: boolean;
}

export interface CaseBoundedInputs {
  value: number;
}

export interface CaseBoundedOutputs {
  value: number;
}

export interface CaseBytesInputs {
  /** @format base64 */
  value: string;
}

export interface CaseBytesOutputs {
  /** @format base64 */
  value: string;
}

export interface CaseDataclassInputs {
  value: Point;
}

export interface Point {
  x: number;
  /** @default 0.0 */
  y?: number;
}

export interface CaseDataclassOutputs {
  value: CaseDataclassPoint;
}

export interface CaseDataclassPoint {
  x: number;
  /** @default 0.0 */
  y: number;
}

export interface CaseDateInputs {
  /** @format date */
  value: string;
}

export interface CaseDateOutputs {
  /** @format date */
  value: string;
}

export interface CaseDatetimeInputs {
  /** @format date-time */
  value: string;
}

export interface CaseDatetimeOutputs {
  /** @format date-time */
  value: string;
}

export interface CaseDecimalInputs {
  value: number | string;
}

export interface CaseDecimalOutputs {
  value: string;
}

export interface CaseDiscriminatedInputs {
  value: Cat | Dog;
}

export interface Cat {
  kind: "cat";
  lives: number;
}

export interface Dog {
  kind: "dog";
  tricks: string[];
}

export interface CaseDiscriminatedOutputs {
  value: Cat | Dog;
}

export interface CaseDurationInputs {
  /** @format duration */
  value: string;
}

export interface CaseDurationOutputs {
  /** @format duration */
  value: string;
}

export interface CaseEnumInputs {
  value: Colour;
}

/** The colours of the shop. */
export type Colour = "red" | "blue";

export interface CaseEnumOutputs {
  value: Colour;
}

export interface CaseEnumIntegersInputs {
  value: Level;
}

export type Level = 1 | 2;

export interface CaseEnumIntegersOutputs {
  value: Level;
}

export interface CaseEnumMixedInputs {
  value: Mixed;
}

export type Mixed = "a" | 1 | null;

export interface CaseEnumMixedOutputs {
  value: Mixed;
}

export interface CaseEnumNullableInputs {
  value: Colour | null;
}

export interface CaseEnumNullableOutputs {
  value: Colour | null;
}

export interface CaseFloatInputs {
  value: number;
}

export interface CaseFloatOutputs {
  value: number;
}

export interface CaseFrozensetInputs {
  value: string[];
}

export interface CaseFrozensetOutputs {
  value: string[];
}

export interface CaseIntegerInputs {
  value: number;
}

export interface CaseIntegerOutputs {
  value: number;
}

export interface CaseJsonInputs {
  value: JsonValue;
}

export type JsonValue = unknown;

export interface CaseJsonOutputs {
  value: JsonValue;
}

export interface CaseJsonTextInputs {
  value: string;
}

export interface CaseJsonTextOutputs {
  value: number[];
}

export interface CaseListInputs {
  value: string[];
}

export interface CaseListOutputs {
  value: string[];
}

export interface CaseListAnythingInputs {
  value: unknown[];
}

export interface CaseListAnythingOutputs {
  value: unknown[];
}

export interface CaseListBoundedInputs {
  value: number[];
}

export interface CaseListBoundedOutputs {
  value: number[];
}

export interface CaseListOfListsInputs {
  value: number[][];
}

export interface CaseListOfListsOutputs {
  value: number[][];
}

export interface CaseLiteralInputs {
  value: "a" | "b";
}

export interface CaseLiteralOutputs {
  value: "a" | "b";
}

export interface CaseLiteralMixedInputs {
  value: "a" | 1 | true | null;
}

export interface CaseLiteralMixedOutputs {
  value: "a" | 1 | true | null;
}

export interface CaseLiteralOneInputs {
  value: "only";
}

export interface CaseLiteralOneOutputs {
  value: "only";
}

export interface CaseLiteralQuotesInputs {
  value: "a\"b" | "c\\d" | "e\nf" | "g`${h}`";
}

export interface CaseLiteralQuotesOutputs {
  value: "a\"b" | "c\\d" | "e\nf" | "g`${h}`";
}

export interface CaseMapInputs {
  value: { [key: string]: number };
}

export interface CaseMapOutputs {
  value: { [key: string]: number };
}

export interface CaseMapAnythingInputs {
  value: { [key: string]: unknown };
}

export interface CaseMapAnythingOutputs {
  value: { [key: string]: unknown };
}

export interface CaseMapEnumKeysInputs {
  value: Partial<Record<Colour, string>>;
}

export interface CaseMapEnumKeysOutputs {
  value: Partial<Record<Colour, string>>;
}

export interface CaseMapIntegerKeysInputs {
  value: { [key: string]: string };
}

export interface CaseMapIntegerKeysOutputs {
  value: { [key: string]: string };
}

export interface CaseMapLiteralKeysInputs {
  value: Partial<Record<"a" | "b", number>>;
}

export interface CaseMapLiteralKeysOutputs {
  value: Partial<Record<"a" | "b", number>>;
}

export interface CaseMapOfMapsInputs {
  value: { [key: string]: { [key: string]: number[] } };
}

export interface CaseMapOfMapsOutputs {
  value: { [key: string]: { [key: string]: number[] } };
}

export interface CaseMapPatternKeysInputs {
  value: { [key: string]: boolean };
}

export interface CaseMapPatternKeysOutputs {
  value: { [key: string]: boolean };
}

export interface CaseModelInputs {
  value: Money;
}

export interface Money {
  amount: number;
  /** @default "EUR" */
  currency?: string;
}

export interface CaseModelOutputs {
  value: CaseModelMoney;
}

export interface CaseModelMoney {
  amount: number;
  /** @default "EUR" */
  currency: string;
}

export interface CaseModelDescribedInputs {
  value: Described;
}

/**
 * Ends a comment: *\/ and goes on.
 *
 * A second paragraph.
 */
export interface Described {
  /**
   * More than one line:
   *   of *\/ text.
   * @default 3
   */
  field?: number;
}

export interface CaseModelDescribedOutputs {
  value: CaseModelDescribedDescribed;
}

/**
 * Ends a comment: *\/ and goes on.
 *
 * A second paragraph.
 */
export interface CaseModelDescribedDescribed {
  /**
   * More than one line:
   *   of *\/ text.
   * @default 3
   */
  field: number;
}

export interface CaseModelListInputs {
  value: Money[];
}

export interface CaseModelListOutputs {
  value: CaseModelMoney[];
}

export interface CaseModelNullableInputs {
  value: Money | null;
}

export interface CaseModelNullableOutputs {
  value: CaseModelMoney | null;
}

export interface CaseModelOddNamesInputs {
  value: Odd;
}

export interface Odd {
  "with-dash": number;
  "say \"hi\"": string;
  class: string;
  "1st": number;
  "größe": string;
  __proto__: string;
}

export interface CaseModelOddNamesOutputs {
  value: Odd;
}

export interface CaseModelOpenInputs {
  value: Open;
}

export interface Open {
  known: number;
  [key: string]: unknown;
}

export interface CaseModelOpenOutputs {
  value: Open;
}

export interface CaseModelRecursiveInputs {
  value: Tree;
}

export interface Tree {
  name: string;
  /** @default [] */
  children?: Tree[];
}

export interface CaseModelRecursiveOutputs {
  value: CaseModelRecursiveTree;
}

export interface CaseModelRecursiveTree {
  name: string;
  /** @default [] */
  children: CaseModelRecursiveTree[];
}

export interface CaseModelTypedExtraInputs {
  value: TypedExtra;
}

export interface TypedExtra {
  known: string;
  perhaps?: boolean | null;
  [key: string]: number | string | boolean | null | undefined;
}

export interface CaseModelTypedExtraOutputs {
  value: CaseModelTypedExtraTypedExtra;
}

export interface CaseModelTypedExtraTypedExtra {
  known: string;
  perhaps: boolean | null;
  [key: string]: number | string | boolean | null;
}

export interface CaseNamedTupleInputs {
  value: Pair;
}

export type Pair = [number, string?];

export interface CaseNamedTupleOutputs {
  value: Pair;
}

export interface CaseNothingInputs {
  value: null;
}

export interface CaseNothingOutputs {
  value: null;
}

export interface CaseNullableInputs {
  value: string | null;
}

export interface CaseNullableOutputs {
  value: string | null;
}

export interface CaseObjectInputs {
  value: unknown;
}

export interface CaseObjectOutputs {
  value: unknown;
}

export interface CasePatternInputs {
  value: string;
}

export interface CasePatternOutputs {
  value: string;
}

export interface CaseRecursiveAliasInputs {
  value: Nested;
}

export type Nested = { [key: string]: Nested } | Nested[] | number;

export interface CaseRecursiveAliasOutputs {
  value: Nested;
}

export interface CaseRootModelInputs {
  value: Names;
}

export type Names = string[];

export interface CaseRootModelOutputs {
  value: Names;
}

export interface CaseSchemaAllOfInputs {
  value: {
    a: string;
  } & {
    b: number;
  };
}

export interface CaseSchemaAllOfOutputs {
  value: {
    a: string;
  } & {
    b: number;
  };
}

export interface CaseSchemaAnythingInputs {
  value: unknown;
}

export interface CaseSchemaAnythingOutputs {
  value: unknown;
}

export interface CaseSchemaConstObjectInputs {
  value: { a: [1, null] };
}

export interface CaseSchemaConstObjectOutputs {
  value: { a: [1, null] };
}

export interface CaseSchemaNeverInputs {
  value: never;
}

export interface CaseSchemaNeverOutputs {
  value: never;
}

export interface CaseSchemaTupleWithRestInputs {
  value: [string?, ...number[]];
}

export interface CaseSchemaTupleWithRestOutputs {
  value: [string?, ...number[]];
}

export interface CaseSchemaTypesInputs {
  value: string | null;
}

export interface CaseSchemaTypesOutputs {
  value: string | null;
}

export interface CaseSchemaUnknownReferenceInputs {
  value: unknown;
}

export interface CaseSchemaUnknownReferenceOutputs {
  value: unknown;
}

export interface CaseSequenceInputs {
  value: number[];
}

export interface CaseSequenceOutputs {
  value: number[];
}

export interface CaseSetInputs {
  value: number[];
}

export interface CaseSetOutputs {
  value: number[];
}

export interface CaseTextInputs {
  value: string;
}

export interface CaseTextOutputs {
  value: string;
}

export interface CaseTimeInputs {
  /** @format time */
  value: string;
}

export interface CaseTimeOutputs {
  /** @format time */
  value: string;
}

export interface CaseTupleInputs {
  value: [number, string];
}

export interface CaseTupleOutputs {
  value: [number, string];
}

export interface CaseTupleEmptyInputs {
  value: [];
}

export interface CaseTupleEmptyOutputs {
  value: [];
}

export interface CaseTupleOfUnionsInputs {
  value: [number | null, string[]];
}

export interface CaseTupleOfUnionsOutputs {
  value: [number | null, string[]];
}

export interface CaseTupleOpenInputs {
  value: number[];
}

export interface CaseTupleOpenOutputs {
  value: number[];
}

export interface CaseTypedDictInputs {
  value: Options;
}

export interface Options {
  size: number;
  name?: string;
}

export interface CaseTypedDictOutputs {
  value: Options;
}

export interface CaseUnionInputs {
  value: number | string;
}

export interface CaseUnionOutputs {
  value: number | string;
}

export interface CaseUnionInListInputs {
  value: (number | string | null)[];
}

export interface CaseUnionInListOutputs {
  value: (number | string | null)[];
}

export interface CaseUnionOfListsInputs {
  value: number[] | string[];
}

export interface CaseUnionOfListsOutputs {
  value: number[] | string[];
}

export interface CaseUrlInputs {
  /** @format uri */
  value: string;
}

export interface CaseUrlOutputs {
  /** @format uri */
  value: string;
}

export interface CaseUuidInputs {
  /** @format uuid */
  value: string;
}

export interface CaseUuidOutputs {
  /** @format uuid */
  value: string;
}

export interface CollidingInputs {
  money: CollidingMoney;
}

export interface CollidingMoney {
  cents: number;
}

export interface CollidingOutputs {
  money: CollidingMoney;
}

export interface DictionaryInputs {
  count: number;
  numbers: number[];
  /** @default 0.5 */
  ratio?: number;
  /** @default true */
  exact?: boolean;
  labels?: { [key: string]: unknown } | unknown[];
  /** A secret: no answer has it in clear text. */
  password: string;
  other?: unknown;
}

export interface DictionaryOutputs {
  total?: number;
  parts?: string[];
}

/** Inputs that need not be given, which outputs have all the same. */
export interface WithDefaultsInputs {
  required: number;
  /** @default 3 */
  given?: number;
  nullable?: string | null;
  made?: number[];
  /** A secret: no answer has it in clear text. */
  secret?: string;
  /** @default 0 */
  new?: number;
}

/** Inputs that need not be given, which outputs have all the same. */
export interface WithDefaultsOutputs {
  required: number;
  /** @default 3 */
  given: number;
  nullable: string | null;
  made: number[];
  /** A secret: no answer has it in clear text. */
  secret: string;
  /** @default 0 */
  shown: number;
}

export type Type1stOfAllNothingErrors = "";

export type CaseAddressErrors = "" | "value";

export type CaseAnythingErrors = "" | "value" | `value.${string}`;

export type CaseBooleanErrors = "" | "value";

export type CaseBoundedErrors = "" | "value";

export type CaseBytesErrors = "" | "value";

export type CaseDataclassErrors = "" | "value" | `value.${string}`;

export type CaseDateErrors = "" | "value";

export type CaseDatetimeErrors = "" | "value";

export type CaseDecimalErrors = "" | "value";

export type CaseDiscriminatedErrors = "" | "value" | `value.${string}`;

export type CaseDurationErrors = "" | "value";

export type CaseEnumErrors = "" | "value";

export type CaseEnumIntegersErrors = "" | "value";

export type CaseEnumMixedErrors = "" | "value";

export type CaseEnumNullableErrors = "" | "value";

export type CaseFloatErrors = "" | "value";

export type CaseFrozensetErrors = "" | "value" | `value.${string}`;

export type CaseIntegerErrors = "" | "value";

export type CaseJsonErrors = "" | "value" | `value.${string}`;

export type CaseJsonTextErrors = "" | "value";

export type CaseListErrors = "" | "value" | `value.${string}`;

export type CaseListAnythingErrors = "" | "value" | `value.${string}`;

export type CaseListBoundedErrors = "" | "value" | `value.${string}`;

export type CaseListOfListsErrors = "" | "value" | `value.${string}`;

export type CaseLiteralErrors = "" | "value";

export type CaseLiteralMixedErrors = "" | "value";

export type CaseLiteralOneErrors = "" | "value";

export type CaseLiteralQuotesErrors = "" | "value";

export type CaseMapErrors = "" | "value" | `value.${string}`;

export type CaseMapAnythingErrors = "" | "value" | `value.${string}`;

export type CaseMapEnumKeysErrors = "" | "value" | `value.${string}`;

export type CaseMapIntegerKeysErrors = "" | "value" | `value.${string}`;

export type CaseMapLiteralKeysErrors = "" | "value" | `value.${string}`;

export type CaseMapOfMapsErrors = "" | "value" | `value.${string}`;

export type CaseMapPatternKeysErrors = "" | "value" | `value.${string}`;

export type CaseModelErrors = "" | "value" | `value.${string}`;

export type CaseModelDescribedErrors = "" | "value" | `value.${string}`;

export type CaseModelListErrors = "" | "value" | `value.${string}`;

export type CaseModelNullableErrors = "" | "value" | `value.${string}`;

export type CaseModelOddNamesErrors = "" | "value" | `value.${string}`;

export type CaseModelOpenErrors = "" | "value" | `value.${string}`;

export type CaseModelRecursiveErrors = "" | "value" | `value.${string}`;

export type CaseModelTypedExtraErrors = "" | "value" | `value.${string}`;

export type CaseNamedTupleErrors = "" | "value" | `value.${string}`;

export type CaseNothingErrors = "" | "value";

export type CaseNullableErrors = "" | "value";

export type CaseObjectErrors = "" | "value" | `value.${string}`;

export type CasePatternErrors = "" | "value";

export type CaseRecursiveAliasErrors = "" | "value" | `value.${string}`;

export type CaseRootModelErrors = "" | "value" | `value.${string}`;

export type CaseSchemaAllOfErrors = "" | "value" | `value.${string}`;

export type CaseSchemaAnythingErrors = "" | "value" | `value.${string}`;

export type CaseSchemaConstObjectErrors = "" | "value";

export type CaseSchemaNeverErrors = "" | "value" | `value.${string}`;

export type CaseSchemaTupleWithRestErrors = "" | "value" | `value.${string}`;

export type CaseSchemaTypesErrors = "" | "value";

export type CaseSchemaUnknownReferenceErrors = "" | "value" | `value.${string}`;

export type CaseSequenceErrors = "" | "value" | `value.${string}`;

export type CaseSetErrors = "" | "value" | `value.${string}`;

export type CaseTextErrors = "" | "value";

export type CaseTimeErrors = "" | "value";

export type CaseTupleErrors = "" | "value" | `value.${string}`;

export type CaseTupleEmptyErrors = "" | "value" | `value.${string}`;

export type CaseTupleOfUnionsErrors = "" | "value" | `value.${string}`;

export type CaseTupleOpenErrors = "" | "value" | `value.${string}`;

export type CaseTypedDictErrors = "" | "value" | `value.${string}`;

export type CaseUnionErrors = "" | "value";

export type CaseUnionInListErrors = "" | "value" | `value.${string}`;

export type CaseUnionOfListsErrors = "" | "value" | `value.${string}`;

export type CaseUrlErrors = "" | "value";

export type CaseUuidErrors = "" | "value";

export type CollidingErrors = "" | "money" | `money.${string}`;

export type DictionaryErrors = "" | "count" | "numbers" | `numbers.${string}` | "ratio" | "exact" | "labels" | `labels.${string}` | "password" | "other" | `other.${string}`;

export type WithDefaultsErrors = string;
