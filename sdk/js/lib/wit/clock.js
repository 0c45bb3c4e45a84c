export { default } from "slipswitch:plugin/clock@0.2.0";
