export { default } from "slipswitch:plugin/state@0.2.0";
