export { default } from "slipswitch:plugin/log@0.2.0";
