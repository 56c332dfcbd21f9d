"""Scripts that let a shell's Tab key ask weft what may stand there. What that is: cli/options.py.

A contact's name goes into the line of the shell, so one such as `$(reboot)` must come quoted: zsh and fish do that by
themselves, bash does not, and neither does the script for it that click brings.
"""

from click.shell_completion import FishComplete, ZshComplete

# In quotes that are still open bash puts what it is given between them as it is; elsewhere it wants it quoted.
_BASH = r"""_weft_completion() {
    local kind value open=${COMP_WORDS[COMP_CWORD]:0:1}
    while IFS=, read -r kind value; do
        if [[ $kind == plain ]]; then
            case $open in
                \") value=$(sed 's/[\\$`"]/\\&/g' <<< "$value") ;;
                \') value=${value//\'/\'\\\'\'} ;;
                *) printf -v value %q "$value" ;;
            esac
            COMPREPLY+=("$value")
        fi
    done < <(IFS=$'\n' && COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD _WEFT_COMPLETE=bash_complete "$1")
}

complete -o nosort -F _weft_completion weft
"""
_FISH_SPLIT = 'string split "," $completion'


def script(shell: str) -> str:
    """What a shell reads to let the Tab key complete weft's commands and names. shell: bash, zsh or fish."""
    from cli.__main__ import COMMANDS

    match shell:
        case "bash":
            return _BASH
        case "fish":  # a comma may stand in a name
            source = FishComplete(COMMANDS, {}, "weft", "_WEFT_COMPLETE").source()
            return source.replace(_FISH_SPLIT, _FISH_SPLIT.replace("split", "split --max 1"))
        case _:
            return ZshComplete(COMMANDS, {}, "weft", "_WEFT_COMPLETE").source()
