export { default } from "slipswitch:plugin/metrics@0.2.0";
