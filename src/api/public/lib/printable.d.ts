export declare const unsafe: string
export declare function printable(text: string): string
export declare function printableId(id: string): string
