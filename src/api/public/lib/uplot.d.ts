/** Gives the types of uPlot to the copy of it that the dashboard serves. */
declare module '*/uPlot.esm.js' {
  import Plot = require('uplot')
  export = Plot
}
