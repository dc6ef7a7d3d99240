// Made by `serverless-tasks types` from the tasks. Do not change it: change a task, and make it anew.
/* eslint-disable */

/** The tasks by their names: what each takes, what it gives, and the fields that a refusal names. */
export interface Tasks {
  /** Fetch a document with a currency and its rate on each line. */
  "fetch-rates": {
    inputs: never;
    outputs: FetchRatesOutputs;
    errors: never;
  };
  /** Turn a picture upright and make it fit into a box; it is never enlarged. */
  "make-thumbnail": {
    inputs: MakeThumbnailInputs;
    outputs: MakeThumbnailOutputs;
    errors: MakeThumbnailErrors;
  };
  /** Turn the document into rates. */
  "parse-rates": {
    inputs: never;
    outputs: ParseRatesOutputs;
    errors: never;
  };
  /** Make one report of the totals of all shops. */
  "report-sales": {
    inputs: never;
    outputs: ReportSalesOutputs;
    errors: never;
  };
  /** Store the rates. A step may run more than once: the second time changes nothing. */
  "store-rates": {
    inputs: never;
    outputs: StoreRatesOutputs;
    errors: never;
  };
  /** Add numbers. */
  sum: {
    inputs: SumInputs;
    outputs: SumOutputs;
    errors: SumErrors;
  };
  /** Add up a shop's sales: a CSV file with the columns ``article`` and ``amount``. */
  "sum-sales": {
    inputs: never;
    outputs: SumSalesOutputs;
    errors: never;
  };
  /** Read a CSV file with a header and say of each column what it holds; the progress is in bytes. */
  "summarise-columns": {
    inputs: SummariseColumnsInputs;
    outputs: SummariseColumnsOutputs;
    errors: SummariseColumnsErrors;
  };
}

export interface FetchRatesOutputs {
  text?: string;
}

/** A picture, and how large its thumbnail may be (in pixels). */
export interface MakeThumbnailInputs {
  /** @format base64 */
  image: string;
  /** @default 320 */
  width?: number;
  /** @default 320 */
  height?: number;
  /** @default "webp" */
  format?: "webp" | "jpeg" | "png";
}

/** The thumbnail, and what became of the picture's size. */
export interface MakeThumbnailOutputs {
  /** @format base64 */
  image: string;
  media_type: string;
  width: number;
  height: number;
  size: number;
  original_width: number;
  original_height: number;
  original_size: number;
}

export interface ParseRatesOutputs {
  rates?: { [key: string]: unknown } | unknown[];
}

export interface ReportSalesOutputs {
  title?: string;
  total?: number;
  best?: string[];
}

export interface StoreRatesOutputs {
  stored?: number;
}

export interface SumInputs {
  numbers: number[];
}

export interface SumOutputs {
  sum?: number;
}

export interface SumSalesOutputs {
  shop?: string;
  total?: number;
  sales?: number;
}

export interface SummariseColumnsInputs {
  text: string;
  delimiter?: string;
}

export interface SummariseColumnsOutputs {
  rows?: number;
  columns?: ({ [key: string]: unknown } | unknown[])[];
}

export type MakeThumbnailErrors = "" | "image" | "width" | "height" | "format";

export type SumErrors = "" | "numbers" | `numbers.${string}`;

export type SummariseColumnsErrors = "" | "text" | "delimiter";
