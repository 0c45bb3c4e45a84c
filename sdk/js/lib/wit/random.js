export { default } from "slipswitch:plugin/random@0.2.0";
